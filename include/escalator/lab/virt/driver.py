"""The virt driver of the lab: Nova's fake driver, with lasting guests and migrations that take time."""

# mypy: disable-error-code="import-not-found"
# ruff: noqa: ARG002, FBT001, FBT002  (the signatures are Nova's)

import io
import json
import os
import time
from pathlib import Path
from typing import Any, TypeAlias

import nova.conf
from nova import exception
from nova.compute import power_state
from nova.image import glance
from nova.virt import fake

from .copying import CopyOutcome, MemoryCopy
from .faults import METADATA_SNAPSHOT_SECONDS, MigrationFault, MigrationOrder, NodeFaults
from .guests import EventLog, GuestBook

CONF = nova.conf.CONF

# what Nova hands over; it publishes no types
Argument: TypeAlias = Any
Callback: TypeAlias = Any
Context: TypeAlias = Any
Instance: TypeAlias = Any
MigrateData: TypeAlias = Any
Migration: TypeAlias = Any
VirtAPI: TypeAlias = Any

FOLDER_VARIABLE = "ESCALATOR_LAB_HYPERVISORS"
POLL_SECONDS = 0.05
SAVE_SECONDS = 1.0
MIB = 1024 * 1024


class LabDriver(fake.FakeDriverWithoutFakeNodes):  # type: ignore[misc]
    """Keep guests on disk; copy them in memory/bandwidth seconds; fail where it was ordered."""

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        folder = Path(os.environ[FOLDER_VARIABLE]) / CONF.host
        self._facts: dict[str, Any] = json.loads((folder / "hardware.json").read_text())
        self._siblings = folder.parent
        self._faults = NodeFaults(folder=folder)
        self._log = EventLog(folder=folder, host=CONF.host)
        self._orders: dict[str, str] = {}
        self._started = time.time()
        self.instances = GuestBook(folder)
        self.vcpus = self._facts["vcpus"]
        self.memory_mb = self._facts["memory_mib"]
        self.local_gb = self._facts["disk_gib"]
        self.resources = fake.Resources(self.vcpus, self.memory_mb, self.local_gb)

    def get_available_resource(self, nodename: str) -> Argument:
        """Report the node, with the hypervisor version of its faults file if there is one."""
        resources = super().get_available_resource(nodename)
        version = self._faults.hypervisor_version()
        resources["hypervisor_version"] = version or self._facts["hypervisor_version"]
        return resources

    def get_host_uptime(self) -> str:
        """Return the uptime as text."""
        return f"up {int(time.time() - self._started)} seconds"

    def get_host_ip_addr(self) -> str:
        """Return the node's address."""
        return str(CONF.my_ip)

    # -- guests, and the state of their power

    def spawn(
        self, context: Context, instance: Instance, *args: Argument, power_on: bool = True, **kwargs: Argument
    ) -> None:
        """Create a guest."""
        super().spawn(context, instance, *args, power_on=power_on, **kwargs)
        self._event(instance, "started" if power_on else "created")

    def destroy(self, context: Context, instance: Instance, *args: Argument, **kwargs: Argument) -> None:
        """Remove a guest."""
        super().destroy(context, instance, *args, **kwargs)
        self._event(instance, "destroyed")

    def power_off(self, instance: Instance, *_: object, **__: object) -> None:
        """Shut a guest down."""
        self._set_state(instance, power_state.SHUTDOWN, "stopped")

    def power_on(self, context: Context, instance: Instance, *_: object, **__: object) -> None:
        """Start a guest that is shut down."""
        self._set_state(instance, power_state.RUNNING, "started")

    def pause(self, instance: Instance) -> None:
        """Freeze a guest in memory."""
        self._set_state(instance, power_state.PAUSED, "paused", by="user")

    def unpause(self, instance: Instance) -> None:
        """Let a frozen guest run."""
        self._set_state(instance, power_state.RUNNING, "resumed", by="user")

    def suspend(self, context: Context, instance: Instance) -> None:
        """Write a guest's memory to disk and stop it."""
        self._set_state(instance, power_state.SUSPENDED, "suspended")

    def resume(self, context: Context, instance: Instance, *_: object, **__: object) -> None:
        """Bring a suspended guest back."""
        self._set_state(instance, power_state.RUNNING, "resumed", by="user")

    def rescue(self, context: Context, instance: Instance, *_: object, **__: object) -> None:
        """Boot a guest from its rescue image."""
        self._set_state(instance, power_state.RUNNING, "rescued")

    def unrescue(self, instance: Instance) -> None:
        """Boot a guest from its own disk again."""
        self._set_state(instance, power_state.RUNNING, "started")

    def reboot(self, context: Context, instance: Instance, *_: object, **__: object) -> None:
        """Stop and start a guest; one that is not there is made."""
        if instance.uuid not in self.instances:
            self.spawn(context, instance, instance.image_meta, None, None, None)
            return
        self._event(instance, "stopped", by="reboot")
        self._set_state(instance, power_state.RUNNING, "started", by="reboot")

    def snapshot(
        self, context: Context, instance: Instance, image_id: str, update_task_state: Callback
    ) -> None:
        """Take an image for as long as the metadata of the server says; its bytes are the server's id."""
        super().snapshot(context, instance, image_id, update_task_state)
        time.sleep(float(instance.metadata.get(METADATA_SNAPSHOT_SECONDS, 0)))
        form = {"disk_format": "raw", "container_format": "bare"}
        glance.API().update(context, image_id, form, io.BytesIO(instance.uuid.encode()))

    # -- cold migration

    def migrate_disk_and_power_off(
        self,
        context: Context,
        instance: Instance,
        dest: str,
        *_: object,
        **__: object,
    ) -> str:
        """Stop a guest and take the time that its disk needs.

        :raises nova.exception.InstanceFaultRollback: when it was ordered to fail; the guest stays as it was.
        """
        order = self._faults.migration_order(instance.metadata)
        if order.fault in (MigrationFault.FAIL, MigrationFault.PRECHECK_FAIL):
            self._faults.strike(order)
            raise exception.InstanceFaultRollback(
                inner_exception=exception.MigrationError(reason=f"a fault of the lab: {order.fault}")
            )
        if order.fault is MigrationFault.DIE:
            self._die(order)
        if self.instances[instance.uuid].state != power_state.SHUTDOWN:
            self._set_state(instance, power_state.SHUTDOWN, "stopped", by="cold-migration", dest=dest)
        while order.fault is MigrationFault.HANG:
            time.sleep(POLL_SECONDS)
        time.sleep(order.seconds if order.seconds is not None else self._facts["cold_migration_seconds"])
        return ""

    def finish_revert_migration(
        self,
        context: Context,
        instance: Instance,
        network_info: Argument,
        migration: Migration,
        block_device_info: Argument = None,
        power_on: bool = True,
        **_: object,
    ) -> None:
        """Put a guest back on the node that it left.

        :param power_on: whether it ran before.
        """
        state = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self._set_state(instance, state, "started" if power_on else "created", by="revert")

    # -- live migration

    def check_can_live_migrate_source(
        self, context: Context, instance: Instance, data: MigrateData, *_: object, **__: object
    ) -> Argument:
        """Check on the source, and forget orders for an earlier move: from here on they are for this one.

        :raises nova.exception.MigrationPreCheckError: when it was ordered to fail here.
        """
        self._orders.pop(instance.uuid, None)
        order = self._faults.migration_order(instance.metadata)
        if order.fails_precheck:
            self._faults.strike(order)
            raise exception.MigrationPreCheckError(reason="a fault of the lab: precheck-fail")
        return data

    def live_migration(
        self,
        context: Context,
        instance: Instance,
        dest: str,
        post_method: Callback,
        recover_method: Callback,
        block_migration: bool = False,
        migrate_data: MigrateData = None,
    ) -> None:
        """Copy the guest's memory, then hand the guest over to the destination."""
        order = self._faults.migration_order(instance.metadata)
        copy = MemoryCopy(
            memory_mib=instance.flavor.memory_mb,
            bandwidth_mib_per_second=self._facts["bandwidth_mib_per_second"],
            order=order,
        )
        self._event(instance, "migration-start", dest=dest, seconds=copy.seconds)
        if order.fault is MigrationFault.HANG:
            self._faults.strike(order)
        failure = self._copy_memory(instance, copy, migrate_data.migration)
        if failure is not None:
            self._event(instance, "migration-rollback", dest=dest, status=failure)
            recover_method(context, instance, dest, migrate_data, migration_status=failure)
            return
        self._hand_over(instance, dest)
        post_method(context, instance, dest, block_migration, migrate_data)

    def live_migration_abort(self, instance: Instance) -> None:
        """End a running migration; the guest stays."""
        self._orders[instance.uuid] = "abort"

    def live_migration_force_complete(self, instance: Instance) -> None:
        """Finish a running migration at once."""
        self._orders[instance.uuid] = "force"

    def post_live_migration(self, context: Context, instance: Instance, *_: object, **__: object) -> None:
        """Release what the guest held here; it was handed over already."""
        flavor = instance.flavor
        self.resources.release(vcpus=flavor.vcpus, mem=flavor.memory_mb, disk=flavor.root_gb)

    def post_live_migration_at_destination(
        self, context: Context, instance: Instance, *_: object, **__: object
    ) -> None:
        """Take note of a guest that has arrived."""
        if instance.uuid not in self.instances:
            self.spawn(context, instance, instance.image_meta, None, None, None)
            return
        flavor = instance.flavor
        self.resources.claim(vcpus=flavor.vcpus, mem=flavor.memory_mb, disk=flavor.root_gb)

    def _copy_memory(self, instance: Instance, copy: MemoryCopy, migration: Migration) -> str | None:
        """Wait until the copy is done; return the migration's status when it ended otherwise."""
        start = time.monotonic()
        saved = start - SAVE_SECONDS
        while True:
            elapsed = time.monotonic() - start
            ordered = self._orders.pop(instance.uuid, None)
            outcome = copy.outcome_at(elapsed)
            if ordered == "abort":
                return "cancelled"
            if outcome is CopyOutcome.FAILED:
                self._faults.strike(copy.order)
                return "failed"
            if outcome is CopyOutcome.DIED:
                self._die(copy.order)
            if ordered == "force" or outcome is CopyOutcome.DONE:
                return None
            if time.monotonic() - saved >= SAVE_SECONDS:
                self._save_progress(instance, migration, copy, copy.fraction_at(elapsed))
                saved = time.monotonic()
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _save_progress(instance: Instance, migration: Migration, copy: MemoryCopy, done: float) -> None:
        migration.memory_total = copy.memory_mib * MIB
        migration.memory_processed = int(copy.memory_mib * done) * MIB
        migration.memory_remaining = migration.memory_total - migration.memory_processed
        migration.save()
        instance.progress = round(done * 100)
        instance.save()

    def _hand_over(self, instance: Instance, dest: str) -> None:
        """Move the guest's record to the destination; a guest that runs is paused meanwhile."""
        guest = self.instances[instance.uuid]
        runs = guest.state == power_state.RUNNING
        if runs:
            self._event(instance, "paused", by="live-migration", dest=dest)
            time.sleep(self._facts["downtime_ms"] / 1000)
        GuestBook(self._siblings / dest)[instance.uuid] = guest
        del self.instances[instance.uuid]
        if runs:
            self._event(instance, "resumed", by="live-migration", dest=dest)
        self._event(instance, "moved", dest=dest)

    def _die(self, order: MigrationOrder) -> None:
        self._faults.strike(order)
        os._exit(137)

    def _set_state(self, instance: Instance, state: int, event: str, **more: str) -> None:
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances.set_state(instance.uuid, state)
        self._event(instance, event, **more)

    def _event(self, instance: Instance, event: str, **more: str | float | None) -> None:
        self._log.write(event, guest=instance.uuid, name=instance.display_name, **more)
