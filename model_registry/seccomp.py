"""Which calls to the kernel a model that is code may not make: a filter built here, from numbers, for two processors.

The filter is a program of the kernel's packet filter (BPF), as seccomp(2) takes it: eight bytes per instruction. It
denies what no model needs in order to score rows and what others have escaped with. It logs nothing.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from types import MappingProxyType

from policies.errors import Sentence, Unavailable

LOAD, JUMP_EQUAL, JUMP_ANY_BIT, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, PROCESSOR, FIRST, SECOND = 0, 4, 16, 24
"""Where the kernel puts the call's number, the processor, and the low halves of its first two arguments."""

THREAD, NAMESPACES = 0x00010000, 0x7E020080
"""Flags of clone(2): a thread of the same process; any new namespace (CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET,
and CLONE_NEWTIME)."""

LOCAL = 1
"""AF_UNIX, the only family of sockets that leads nowhere here."""

TYPES_INTO_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: what puts keystrokes into the terminal of whoever started the service."""

X32 = 0x40000000
"""From here on the numbers of a second table that x86-64 kernels may keep; a list of numbers would not meet them."""

DENIED: Mapping[str, tuple[int | None, int | None]] = MappingProxyType(
    {
        # processes and what looks into them
        "fork": (57, None),
        "vfork": (58, None),
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "process_madvise": (440, 440),
        "kcmp": (312, 272),
        "pidfd_getfd": (438, 438),
        "pidfd_send_signal": (424, 424),
        "setns": (308, 268),
        "unshare": (272, 97),
        "personality": (135, 92),
        "modify_ldt": (154, None),
        # file systems
        "mount": (165, 40),
        "umount2": (166, 39),
        "pivot_root": (155, 41),
        "chroot": (161, 51),
        "open_tree": (428, 428),
        "move_mount": (429, 429),
        "fsopen": (430, 430),
        "fsconfig": (431, 431),
        "fsmount": (432, 432),
        "fspick": (433, 433),
        "mount_setattr": (442, 442),
        "name_to_handle_at": (303, 264),
        "open_by_handle_at": (304, 265),
        "fanotify_init": (300, 262),
        "fanotify_mark": (301, 263),
        "quotactl": (179, 60),
        "quotactl_fd": (443, 443),
        "swapon": (167, 224),
        "swapoff": (168, 225),
        "acct": (163, 89),
        "uselib": (134, None),
        "sysfs": (139, None),
        "ustat": (136, None),
        "lookup_dcookie": (212, 18),
        "nfsservctl": (180, 42),
        # the kernel itself
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
        "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426),
        "io_uring_register": (427, 427),
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
        "init_module": (175, 105),
        "finit_module": (313, 273),
        "delete_module": (176, 106),
        "kexec_load": (246, 104),
        "kexec_file_load": (320, 294),
        "reboot": (169, 142),
        "syslog": (103, 116),
        "_sysctl": (156, None),
        "iopl": (172, None),
        "ioperm": (173, None),
        "vhangup": (153, 58),
        "migrate_pages": (256, 238),
        "move_pages": (279, 239),
        "vmsplice": (278, 75),
        # the clock and the names of the machine
        "adjtimex": (159, 171),
        "clock_adjtime": (305, 266),
        "clock_settime": (227, 112),
        "settimeofday": (164, 170),
        "sethostname": (170, 161),
        "setdomainname": (171, 162),
        # memory that no limit of the process counts
        "memfd_create": (319, 279),
        "memfd_secret": (447, 447),
        "shmget": (29, 194),
        "msgget": (68, 186),
        "semget": (64, 190),
    }
)
"""Numbers on x86-64 and on 64-bit ARM; None where a processor never had the call."""

PROCESSORS: Mapping[str, tuple[int, int, Mapping[str, int]]] = MappingProxyType(
    {
        "x86_64": (0xC000003E, 0, {"clone": 56, "clone3": 435, "socket": 41, "socketpair": 53, "ioctl": 16}),
        "aarch64": (0xC00000B7, 1, {"clone": 220, "clone3": 435, "socket": 198, "socketpair": 199, "ioctl": 29}),
    }
)
"""By the machine's name: its mark in a call, its place in `DENIED`, and the calls that are judged by an argument."""


class NoFilter(Unavailable):
    """There is no filter for this processor."""

    def __init__(self, machine: str) -> None:
        super().__init__(
            Sentence(
                en=f"there is no filter of kernel calls for the processor {machine}; expected "
                f"{' or '.join(PROCESSORS)}",
                zh=f"没有适用于处理器 {machine} 的系统调用过滤器，应为 {'或'.join(PROCESSORS)}",
            )
        )


def filter_for(machine: str) -> bytes:
    """Return the filter for a processor as `platform.machine()` names it, eight bytes per instruction.

    Denied calls fail with EPERM, sockets of other families with EAFNOSUPPORT, clone3 with ENOSYS so that the C
    library takes clone, whose flags can be read. A call in the table of another processor ends the process.

    Raises
    ------
    NoFilter

    Examples
    --------
    >>> len(filter_for("x86_64")) % 8
    0
    """
    if machine not in PROCESSORS:
        raise NoFilter(machine)
    mark, place, numbers = PROCESSORS[machine]
    denied = [number for each in DENIED.values() if (number := each[place]) is not None]
    return b"".join(
        [
            _step(LOAD, PROCESSOR),
            _step(JUMP_EQUAL, mark, 1, 0),
            _step(RETURN, KILL),
            _step(LOAD, NUMBER),
            _step(JUMP_AT_LEAST, X32, 0, 1),
            _step(RETURN, KILL),
            *(_refuse_number(number, errno.EPERM) for number in denied),
            _refuse_number(numbers["clone3"], errno.ENOSYS),
            _only(numbers["clone"], [*_refuse_bits(NAMESPACES), *_refuse_without(THREAD)]),
            *(_only(numbers[name], _refuse_others(LOCAL)) for name in ("socket", "socketpair")),
            _only(numbers["ioctl"], [_step(LOAD, SECOND), *(_refuse_value(value) for value in TYPES_INTO_TERMINAL)]),
            _step(RETURN, ALLOW),
        ]
    )


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)


def _refusal(number: int) -> bytes:
    return _step(RETURN, REFUSE | number)


def _refuse_number(number: int, code: int) -> bytes:
    return _step(JUMP_EQUAL, number, 0, 1) + _refusal(code)


def _only(number: int, steps: list[bytes]) -> bytes:
    """Return steps that are taken for one call alone; they end in leave to make it."""
    body = b"".join([*steps, _step(RETURN, ALLOW)])
    return _step(JUMP_EQUAL, number, 0, len(body) // 8) + body


def _refuse_bits(bits: int) -> list[bytes]:
    return [_step(LOAD, FIRST), _step(JUMP_ANY_BIT, bits, 0, 1), _refusal(errno.EPERM)]


def _refuse_without(bit: int) -> list[bytes]:
    return [_step(LOAD, FIRST), _step(JUMP_ANY_BIT, bit, 1, 0), _refusal(errno.EPERM)]


def _refuse_others(value: int) -> list[bytes]:
    return [_step(LOAD, FIRST), _step(JUMP_EQUAL, value, 1, 0), _refusal(errno.EAFNOSUPPORT)]


def _refuse_value(value: int) -> bytes:
    return _step(JUMP_EQUAL, value, 0, 1) + _refusal(errno.EPERM)
