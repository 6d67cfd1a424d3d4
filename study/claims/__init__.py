"""The claims of the source as experiments, in integers and in float."""
