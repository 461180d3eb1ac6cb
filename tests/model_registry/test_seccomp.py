"""The filter of kernel calls, run by an interpreter of our own: what it denies, and that scoring goes through."""

from __future__ import annotations

import errno
import struct

import pytest

from model_registry.seccomp import ALLOW, DENIED, KILL, PROCESSORS, REFUSE, NoFilter, filter_for

MACHINES = sorted(PROCESSORS)
EVERYDAY = {  # read, write, close, mmap, munmap, futex, exit_group, execve, openat, getrandom
    "x86_64": (0, 1, 3, 9, 11, 202, 231, 59, 257, 318),
    "aarch64": (63, 64, 57, 222, 215, 98, 94, 221, 56, 278),
}
THREAD_FLAGS, FORK_FLAGS, NEW_USER = 0x3D0F00, 0x11, 0x10000000
INTERNET, LOCAL = 2, 1


def verdict(program: bytes, number: int, *arguments: int, mark: int) -> int:
    """What the filter returns for a call, instruction by instruction, as the kernel would."""
    data = struct.pack("=iIQ6Q", number, mark, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    at, held = 0, 0
    while True:
        code, if_so, if_not, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return int(value)
        else:
            held_so = {0x15: held == value, 0x45: bool(held & value), 0x35: held >= value}[code]
            at += if_so if held_so else if_not


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    """Every processor in turn."""
    return str(request.param)


def asked(machine: str, number: int, *arguments: int) -> int:
    """What the filter of a machine says to a call of that machine."""
    return verdict(filter_for(machine), number, *arguments, mark=PROCESSORS[machine][0])


class TestFilter:
    def test_what_scoring_needs_goes_through(self, machine: str) -> None:
        assert {asked(machine, number) for number in EVERYDAY[machine]} == {ALLOW}

    def test_every_denied_call_fails(self, machine: str) -> None:
        place = PROCESSORS[machine][1]
        numbers = [each[place] for each in DENIED.values() if each[place] is not None]
        assert len(numbers) > 50
        assert {asked(machine, number or 0) for number in numbers} == {REFUSE | errno.EPERM}

    def test_a_call_is_denied_once(self, machine: str) -> None:
        place = PROCESSORS[machine][1]
        numbers = [each[place] for each in DENIED.values() if each[place] is not None]
        assert len(numbers) == len(set(numbers))
        assert not set(numbers) & {*EVERYDAY[machine], *PROCESSORS[machine][2].values()}

    def test_threads_start_and_processes_do_not(self, machine: str) -> None:
        clone = PROCESSORS[machine][2]["clone"]
        assert asked(machine, clone, THREAD_FLAGS) == ALLOW
        assert asked(machine, clone, FORK_FLAGS) == REFUSE | errno.EPERM
        assert asked(machine, clone, THREAD_FLAGS | NEW_USER) == REFUSE | errno.EPERM

    def test_the_clone_whose_flags_cannot_be_read_does_not_exist(self, machine: str) -> None:
        assert asked(machine, PROCESSORS[machine][2]["clone3"]) == REFUSE | errno.ENOSYS

    @pytest.mark.parametrize("call", ["socket", "socketpair"])
    def test_sockets_lead_nowhere(self, machine: str, call: str) -> None:
        number = PROCESSORS[machine][2][call]
        assert asked(machine, number, LOCAL) == ALLOW
        assert {asked(machine, number, family) for family in range(2, 46)} == {REFUSE | errno.EAFNOSUPPORT}

    def test_nobody_types_into_a_terminal(self, machine: str) -> None:
        number = PROCESSORS[machine][2]["ioctl"]
        assert asked(machine, number, 0, 0x5412) == REFUSE | errno.EPERM
        assert asked(machine, number, 0, 0x541C) == REFUSE | errno.EPERM
        assert asked(machine, number, 0, 0x5413) == ALLOW

    def test_the_table_of_another_processor_ends_the_process(self, machine: str) -> None:
        other = next(each for each in MACHINES if each != machine)
        assert verdict(filter_for(machine), 0, mark=PROCESSORS[other][0]) == KILL
        assert verdict(filter_for(machine), 0, mark=0x40000003) == KILL  # 32 bits on x86

    def test_the_second_table_of_x86_ends_the_process(self) -> None:
        assert asked("x86_64", 0x40000000 + 520) == KILL

    def test_an_unknown_processor_has_none(self) -> None:
        with pytest.raises(NoFilter, match="no filter of kernel calls for the processor riscv64"):
            filter_for("riscv64")
