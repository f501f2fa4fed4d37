from collections.abc import Callable
from typing import Any

from django.db import migrations

from tocsin.db import sealed
from tocsin.orchestration import shown


def _each(apps: Any, change: Callable[[Any], Any]) -> None:
    for model, field in (("PipelineVersion", "document"), ("PipelineDefinition", "definition")):
        rows = apps.get_model("orchestration", model).objects
        for pk, document in list(rows.values_list("pk", field)):
            rows.filter(pk=pk).update(**{field: change(document)})


def seal(apps: Any, schema_editor: Any) -> None:
    """What stood there in clear is not to be found in the file either."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("PRAGMA secure_delete = ON")
    _each(apps, shown.stored)


def unseal(apps: Any, schema_editor: Any) -> None:
    _each(apps, sealed.opened)


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0003_four_stages_as_a_definition")]

    operations = [
        migrations.AlterField(
            model_name="pipelinedefinition",
            name="definition",
            field=sealed.SealedJson(default=dict),
        ),
        migrations.AlterField(
            model_name="pipelineversion",
            name="document",
            field=sealed.SealedJson(default=dict),
        ),
        migrations.RunPython(seal, unseal),
    ]
