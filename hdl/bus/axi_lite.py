"""AXI4-Lite slave of the register bank."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .register_port import AccessSignature
from .registers import ADDRESS_BITS, WORD_BITS

AXI_LITE = {
    "awaddr": In(ADDRESS_BITS),
    "awprot": In(3),
    "awvalid": In(1),
    "awready": Out(1),
    "wdata": In(WORD_BITS),
    "wstrb": In(WORD_BITS // 8),
    "wvalid": In(1),
    "wready": Out(1),
    "bresp": Out(2),
    "bvalid": Out(1),
    "bready": In(1),
    "araddr": In(ADDRESS_BITS),
    "arprot": In(3),
    "arvalid": In(1),
    "arready": Out(1),
    "rdata": Out(WORD_BITS),
    "rresp": Out(2),
    "rvalid": Out(1),
    "rready": In(1),
}
"""Signals of the five channels, from the side of the slave."""


class AxiLiteSlave(wiring.Component):
    """Turns reads and writes on AXI4-Lite into register accesses, one at a time.

    Members
    -------
    awaddr ... rready
        Signals of `AXI_LITE`; the protection bits are ignored.
    access : Out(AccessSignature)

    Latency: ``request`` rises 2 clock cycles after the transfer of address and data; the valid of
    the response rises 1 clock cycle after ``done``. Throughput: one access at a time; waiting reads
    and writes alternate. Handshake: address and data of a write come in any order. All outputs are
    registers or inverted registers, and a response is held until it is transferred. Reset: no
    access in progress.
    """

    def __init__(self) -> None:
        super().__init__({**AXI_LITE, "access": Out(AccessSignature())})

    def elaborate(self, platform: object) -> Module:
        """Build a register per channel, and the arbitration."""
        m = Module()
        access = self.access
        address = Signal()
        word = Signal()
        query = Signal()
        write_address = Signal(ADDRESS_BITS)
        read_address = Signal(ADDRESS_BITS)
        m.d.comb += [
            self.awready.eq(~address),
            self.wready.eq(~word),
            self.arready.eq(~query),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [address.eq(1), write_address.eq(self.awaddr)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [word.eq(1), access.data.eq(self.wdata), access.strobe.eq(self.wstrb)]
        with m.If(self.arvalid & self.arready):
            m.d.sync += [query.eq(1), read_address.eq(self.araddr)]
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        # An access starts only after the previous response of its kind has been transferred.
        writes, reads = address & word & ~self.bvalid, query & ~self.rvalid
        # `access.write` still holds the kind of the previous access; the other kind goes first.
        write = writes & ~(reads & access.write)
        with m.If(~access.request), m.If(writes | reads):
            m.d.sync += [
                access.request.eq(1),
                access.write.eq(write),
                access.address.eq(Mux(write, write_address, read_address)),
            ]
        with m.Elif(access.done):
            m.d.sync += access.request.eq(0)
            with m.If(access.write):
                m.d.sync += [
                    address.eq(0),
                    word.eq(0),
                    self.bvalid.eq(1),
                    self.bresp.eq(access.response),
                ]
            with m.Else():
                m.d.sync += [
                    query.eq(0),
                    self.rvalid.eq(1),
                    self.rresp.eq(access.response),
                    self.rdata.eq(access.result),
                ]
        return m
