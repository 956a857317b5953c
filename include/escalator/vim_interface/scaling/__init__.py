"""Keeps VNFs from scaling out while nodes are out: the quotas of their projects are frozen."""

from escalator.vim_interface.scaling.quota_freeze import (
    Frozen,
    QuotaSide,
    freeze_quotas,
    plan_freeze,
    plan_restore,
    restore_quotas,
)

__all__ = ["Frozen", "QuotaSide", "freeze_quotas", "plan_freeze", "plan_restore", "restore_quotas"]
