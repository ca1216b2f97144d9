"""What has two words and is translated nowhere: modules, and texts that `po/untranslated.txt` lists."""

from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "po/untranslated.txt"
MODULES = frozenset(
    {
        "instorage/arrays/quarantine.py",
        "instorage/configuration/sample.py",
        "instorage/translation.py",
        "instorage/volume_class.py",  # a StorageClass is read by the provisioner, whose events stay English
        "nodeagent/administration/completion.py",
        "nodeagent/administration/denials.py",
        "nodeagent/diagnosis/picture.py",
    }
)
EXCLUDED = frozenset(
    line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("# ")
)
