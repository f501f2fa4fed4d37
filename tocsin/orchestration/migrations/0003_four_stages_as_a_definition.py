from datetime import UTC, datetime
from typing import Any

from django.db import migrations

TYPES = {"INGEST": "ingest", "CHECK": "context", "ANALYZE": "intelligence", "NOTIFY": "notify"}
STAGES = {
    "version": "1.0",
    "nodes": [
        {"id": "INGEST", "type": "ingest", "next": "CHECK"},
        {"id": "CHECK", "type": "context", "next": "ANALYZE"},
        {"id": "ANALYZE", "type": "intelligence", "next": "NOTIFY"},
        {"id": "NOTIFY", "type": "notify"},
    ],
}


def told_by_their_stage(apps: Any, schema_editor: Any) -> None:
    """Stages that are done already get the columns that tell so."""
    stages = apps.get_model("orchestration", "StageExecution").objects
    for stage, kind in TYPES.items():
        stages.filter(stage=stage).update(type=kind)
    stages.filter(state="succeeded").update(exit="next")


def default(apps: Any, schema_editor: Any) -> None:
    """The definition that people find, see and change."""
    definitions = apps.get_model("orchestration", "PipelineDefinition").objects
    versions = apps.get_model("orchestration", "PipelineVersion").objects
    now = datetime.now(UTC)
    made, created = definitions.get_or_create(
        name="default",
        defaults={
            "definition": STAGES, "version": 1, "priority": 1000, "updated_at": now,
            "description": "For all incidents that no other definition matches.",
        },
    )  # fmt: skip
    if created:
        versions.create(definition=made, number=1, document=STAGES, created_at=now)


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0002_definitions_have_versions")]

    operations = [
        migrations.RunPython(told_by_their_stage, migrations.RunPython.noop),
        migrations.RunPython(default, migrations.RunPython.noop),
    ]
