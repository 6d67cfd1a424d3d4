"""Software for a host computer: serial frames, requests and the register driver."""
