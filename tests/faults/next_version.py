"""The version after this one, in a folder of its own: a column, a table and a type of node more."""

import shutil
from pathlib import Path
from typing import Final

from django.db.migrations.loader import MigrationLoader

import tocsin

MIGRATION: Final = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestration", "{before}")]
    operations = [
        migrations.AddField(
            "pipelinerun", "asked_by", models.CharField(max_length=64, default="nobody", db_default="nobody")
        ),
        migrations.CreateModel(
            "Pigeon",
            [("id", models.BigAutoField(primary_key=True)), ("loft", models.CharField(max_length=16))],
        ),
    ]
"""
COLUMN: Final = '    asked_by = models.CharField(max_length=64, default="nobody", db_default="nobody")\n'
BEFORE_IT: Final = "    finished_at = models.DateTimeField(null=True, blank=True)\n"
TABLE: Final = '''

class Pigeon(models.Model):
    """A table that is new."""

    loft = models.CharField(max_length=16)
'''
NODE: Final = '''"""A type of node that is new."""

from tocsin.orchestration.nodes import BatchNode, NodeConfig, Outcome


class Node(BatchNode[NodeConfig]):
    def run(self, walks, context, name):
        return [Outcome({}, {"stamped": True}) for _ in walks]
'''


def build(folder: Path) -> dict[str, str]:
    """Make it; what a process needs in its environment to be of that version."""
    package = folder / "tocsin"
    shutil.copytree(Path(tocsin.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    home = package / "orchestration"
    (home / "nodes" / "stamp.py").write_text(NODE)
    [(_, before)] = MigrationLoader(None).graph.leaf_nodes("orchestration")
    (home / "migrations" / "9000_next_version.py").write_text(MIGRATION.format(before=before))
    models = (home / "models.py").read_text()
    assert BEFORE_IT in models
    (home / "models.py").write_text(models.replace(BEFORE_IT, BEFORE_IT + COLUMN, 1) + TABLE)
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
