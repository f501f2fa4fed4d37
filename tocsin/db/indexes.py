"""Indexes on tables that others write to while they are made."""

from typing import Any

from django.db.migrations import AddIndex


class AddIndexBeside(AddIndex):
    """Adds an index without holding up writers. On PostgreSQL that takes a migration with ``atomic = False``
    and nothing else in it; InnoDB does it by itself, and SQLite cannot.

    What an earlier try left that was cut off is made anew: PostgreSQL keeps it, and does not use it.
    """

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add it."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        if schema_editor.connection.in_atomic_block:
            raise RuntimeError(f"the migration that adds {self.index.name} must say atomic = False")
        name = schema_editor.quote_name(self.index.name)
        schema_editor.execute("SET lock_timeout = 0")  # whoever it waits for, nobody waits for it
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)
