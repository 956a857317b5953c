"""Runs the migrations on the connection that ``escalator.ledger.schema`` opened, inside its transaction."""

from __future__ import annotations

from alembic import context

from escalator.ledger.schema import is_owned
from escalator.ledger.tables import VERSION_TABLE
from escalator.ledger.vim_tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_object=is_owned,
    compare_type=True,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
