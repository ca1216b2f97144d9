"""What must hold of our domains in whatever policy the module is linked with: few questions.

Unlike `access`, which compares rule by rule with the one policy that this machine has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tools.selinux.access import DOMAINS, asked, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.selinux.linked import Linked

UNCONFINED: Final = "unconfined_domain_type"  # in the reference policy and in Fedora's
# What, of which of our attributes, by class, rights, and the type where it is not every one.
FORBIDDEN: Final = {
    "memory that was written is run": ("instorage_domain", "process", "execmem,execstack,execheap", ""),
    "processes are traced": ("instorage_domain", "process", "ptrace", ""),
    "the policy is changed": ("instorage_domain", "security", "load_policy,setenforce,setbool", ""),
    "kernel modules are loaded": ("instorage_domain", "system", "module_load", ""),
    "passwords are read": ("instorage_domain", "file", "open,read", "shadow_t"),
    "disks are opened": ("instorage_unprivileged", "blk_file", "open,read,write,append,ioctl", ""),
    "root code is on the network": ("instorage_root_code", "tcp_socket", "create", ""),
    "root code starts a shell": ("instorage_root_code", "file", "execute,execute_no_trans", "shell_exec_t"),
}
ENTERED: Final = {"iscsid_exec_t": "iscsid_t", "lvm_exec_t": "lvm_t", "fsadm_exec_t": "fsadm_t"}


def broken(linked: Linked) -> list[str]:
    """Return what does not hold, a sentence for each; nothing when all does."""
    return [*_not_held(linked), *_forbidden(linked), *_not_entered(linked)]


def _not_held(linked: Linked) -> Iterator[str]:
    """Say which domains SELinux does not hold at all."""
    known = said(linked, "seinfo", "--flat", "--type")
    permissive = said(linked, "seinfo", "--flat", "--permissive")
    unconfined = said(linked, "seinfo", "--flat", "--expand", "--attribute", UNCONFINED)
    if not unconfined:  # not the same as that nothing has it
        yield f"The policy has no attribute {UNCONFINED}: which domain is unconfined cannot be told."
    for domain in (f"instorage_{one}_t" for one in DOMAINS):
        if domain not in known:
            yield f"{domain} is not in the policy."
        if domain in permissive:
            yield f"{domain} is permissive."
        if domain in unconfined:
            yield f"{domain} is unconfined."


def _forbidden(linked: Linked) -> Iterator[str]:
    for what, (of, kind, rights, target) in FORBIDDEN.items():
        named = ("-t", target) if target else ()
        for rule in asked(linked, "-s", of, *named, "-c", kind, "-p", rights):
            yield f"{of}: {what}: {rule}"


def _not_entered(linked: Linked) -> Iterator[str]:
    """Say which programs the helper would start in its own domain, and whether none enters the stub's."""
    changes = said(linked, "sesearch", "-T", "-s", "instorage_helper_t", "-c", "process")
    for program, domain in ENTERED.items():
        if f"type_transition instorage_helper_t {program}:process {domain};" not in changes:
            yield f"instorage_helper_t does not change to {domain} by {program}."
    if not said(linked, "sesearch", "-T", "-t", "instorage_stub_exec_t", "-c", "process"):
        yield "No domain changes to instorage_stub_t: a kubelet could not run the stub."
