"""The array's error codes: number, severity letter and short text, as the family prints them on stderr.

Source: array-as18000 fact base, section 6. None of the texts was captured on a real MCS array, so a client
must judge by the code.
"""

TEXTS = {
    "CMMVC5701E": "No object ID was specified.",
    "CMMVC5707E": "Required parameters are missing.",
    "CMMVC5709E": "[{0}] is not a supported parameter.",
    "CMMVC5711E": "[{0}] is not valid data.",
    "CMMVC5713E": "Some parameters are mutually exclusive.",
    "CMMVC5729E": "One or more components in the list is not valid.",
    "CMMVC5738E": "The argument [{0}] contains too many characters.",
    "CMMVC5741E": "The filter value [{0}] is not valid.",
    "CMMVC5753E": "The specified object does not exist or is not a suitable candidate.",
    "CMMVC5754E": "The specified object does not exist, or the name supplied does not meet the naming rules.",
    "CMMVC5782E": "The action failed because the object that was specified is offline.",
    "CMMVC5786E": "The action failed because the cluster is not in a stable state.",
    "CMMVC5804E": "The action failed because an object that was specified in the command does not exist.",
    "CMMVC5837E": "The action failed because the virtual disk (VDisk) is part of a LocalCopy mapping.",
    "CMMVC5838E": "The action failed because the virtual disk (VDisk) is part of a Remote Copy mapping.",
    "CMMVC5840E": "The virtual disk (VDisk) was not deleted because it is mapped to a host or because it is"
    " part of a LocalCopy or Remote Copy mapping, or is involved in an image mode migrate.",
    "CMMVC5842E": "The action failed because an object that was specified in the command does not exist.",
    "CMMVC5844E": "The SCSI LUN id [{0}] is not valid.",
    "CMMVC5849E": "The action failed because extents of the virtual disk are being migrated already.",
    "CMMVC5860E": "The action failed because there were not enough extents in the managed disk group.",
    "CMMVC5867E": "The action failed because the worldwide port name is already assigned or is not valid.",
    "CMMVC5871E": "The action failed because one or more of the configured port names is in a mapping.",
    "CMMVC5878E": "The volume is already mapped to this host.",
    "CMMVC5879E": "The VDisk-to-host mapping was not created because a VDisk is already mapped to this host"
    " with this SCSI LUN.",
    "CMMVC5903E": "The LocalCopy mapping was not changed because the mapping or consistency group is in"
    " another state.",
    "CMMVC5907E": "The LocalCopy mapping was not started because it is already copying.",
    "CMMVC5912E": "The LocalCopy mapping was not stopped because it is already stopped.",
    "CMMVC5924E": "The action failed because the virtual disks are different sizes.",
    "CMMVC5959E": "The relationship was not created because a relationship already exists.",
    "CMMVC5963E": "No direction has been defined.",
    "CMMVC5982E": "The operation was not performed because it is not valid given the current relationship"
    " state.",
    "CMMVC6017E": "The argument contains non-ASCII characters.",
    "CMMVC6035E": "The action failed as the object already exists.",
    "CMMVC6071E": "The VDisk-to-host mapping was not created because the VDisk is already mapped to a host.",
    "CMMVC6303E": "The create failed because the source and target VDisks are the same.",
    "CMMVC6352E": "The command failed because the VDisk would have more copies than it may.",
    "CMMVC6353E": "The command failed because the copy specified does not exist.",
    "CMMVC6357E": "The command failed because the copy is not synchronized or is the last one that is.",
    "CMMVC6372W": "The virtualized storage capacity that the cluster is using is approaching the virtualized"
    " storage capacity that is licensed.",
    "CMMVC6430E": "The command failed because the target and source managed disk groups must be different.",
    "CMMVC6466E": "The create failed because the LocalCopy mapping already exists.",
    "CMMVC6527E": "The name that you have entered is not valid. The name can contain letters, numbers,"
    " spaces, periods, dashes, and underscores. The name must begin with a letter or an underscore. The name"
    " must not begin or end with a space.",
    "CMMVC6578E": "The command has failed because the iSCSI name is already assigned or is not valid.",
    "CMMVC7205E": "The command failed because it is not supported.",
    "CMMVC8587E": "The command failed because the volume is fast formatting.",
    "CMMVC8710E": "The command failed because there is not enough space in the pool.",
    "CMMVC9328E": "The command has failed because the NQN is already assigned or is not valid.",
    # what a two-site array says of a host's site was not found in any paper: number and words are made up
    "CMMVC9999E": "The command failed because of the site of the host object: [{0}].",
}


class ArrayError(Exception):
    """A refusal in the array's own words: one code, one line on stderr, exit status 1, empty stdout."""

    def __init__(self, code: str, subject: str = "") -> None:
        self.code = code
        text = TEXTS.get(code, "The command failed.").format(subject)
        super().__init__(f"{code} {text}")
