"""The layers of machines with real guests, what their hypervisor is upgraded to, and the guest itself."""

from __future__ import annotations

from escalator.lab.machine.guest_service import COMMANDS, KEPT, PATH, SERVICE
from escalator.lab.machine.layers import BASE_RECIPE, Recipe
from escalator.lab.pins import digest

HYPERVISOR = ("qemu-system-x86", "qemu-utils", "libvirt-daemon-system", "libvirt-clients")
"""What an upgrade of the hypervisor asks for by name; the rest are their dependencies."""
BACKPORTS = "bookworm-backports"
BACKPORTS_MOUNT = "/srv/backports"
GUEST_FILES = "guest"
"""Folder of the layer of the guest that holds its kernel and its initial file system."""

_UPDATE = "apt-get -q update"
_CLEAN = """\
apt-get clean
rm -rf /var/lib/apt/lists/*
"""

_LIBVIRTD = """\
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
host_uuid_source = "machine-id"
"""
"""Migrations go over TCP. All machines show this computer's hardware; its identity would be theirs, too."""

_QEMU = """\
security_driver = "none"
namespaces = []
cgroup_controllers = []
max_processes = 0
remember_owner = 0
"""
"""What libvirt would do with guests that a machine under systemd-nspawn cannot do."""

_OVS_DROP_IN = """\
[Service]
ExecStartPre=
ExecStart=
ExecStart=/usr/sbin/ovs-vswitchd unix:/run/openvswitch/db.sock --pidfile --detach --no-chdir \
--log-file=/var/log/openvswitch/ovs-vswitchd.log
ExecStop=
ExecReload=
"""
"""Debian's unit loads the kernel's module, which is not there: the switch runs in user space."""

BRIDGE_UNIT = "escalator-lab-bridge"
GUEST_INTERFACE = "eth1"
"""The interface of a machine that its guests reach the lab's bridge by."""
_BRIDGE_UNIT = f"""\
[Unit]
Description=Integration bridge of the guests
After=ovs-vswitchd.service
Requires=ovs-vswitchd.service
Before=nova-compute.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ovs-vsctl set-manager ptcp:6640:127.0.0.1 \
-- --may-exist add-br br-int -- set bridge br-int datapath_type=netdev fail_mode=standalone \
-- --may-exist add-port br-int {GUEST_INTERFACE}

[Install]
WantedBy=multi-user.target
"""

QEMU_RECIPE = Recipe(
    name="qemu",
    below=BASE_RECIPE,
    script=f"""
{_UPDATE}
apt-get -qy install {" ".join(HYPERVISOR)} python3-libvirt openvswitch-switch openssh-client
cat >/etc/libvirt/libvirtd.conf <<'EOF'
{_LIBVIRTD}EOF
cat >/etc/libvirt/qemu.conf <<'EOF'
{_QEMU}EOF
mkdir -p /etc/systemd/system/ovs-vswitchd.service.d
cat >/etc/systemd/system/ovs-vswitchd.service.d/escalator-lab.conf <<'EOF'
{_OVS_DROP_IN}EOF
cat >/etc/systemd/system/{BRIDGE_UNIT}.service <<'EOF'
{_BRIDGE_UNIT}EOF
echo 'net.ipv4.conf.all.arp_ignore = 1' >/etc/sysctl.d/escalator-lab.conf
systemctl --quiet enable {BRIDGE_UNIT}.service libvirtd-tcp.socket
{_CLEAN}""",
)
"""The hypervisor as Debian 12 has it. The interface of the guests is on the same bridge as that of the
machine: only the latter may say that the machine's address is there."""


_SOURCES = "src:qemu src:libvirt src:seabios"
NEWER = f"""
sed -n 's/ bookworm main/ {BACKPORTS} main/p' /etc/apt/sources.list >/etc/apt/sources.list.d/backports.list
cat >/etc/apt/preferences.d/newer <<'EOF'
Package: {_SOURCES}
Pin: release n={BACKPORTS}
Pin-Priority: 990
EOF
{_UPDATE}
apt-get -qy -o Dir::Cache::Archives={BACKPORTS_MOUNT} --download-only install {" ".join(HYPERVISOR)}
rm -rf {BACKPORTS_MOUNT}/lock {BACKPORTS_MOUNT}/partial
"""
"""Fetch Debian's backports of the hypervisor and what they need beyond what the layers have, but not all that
backports have: they would bring another systemd."""
NEWER_KEY = digest(QEMU_RECIPE.key, NEWER)

_MODULES = (
    *("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"),
    *("failover", "net_failover", "virtio_net"),
)
"""What the guest's network card takes, in the order of its dependencies."""

_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {" ".join(_MODULES)}; do
    options=
    if [ $module = virtio_net ]; then options="csum=0 gso=0"; fi
    if [ -e /$module.ko ]; then insmod /$module.ko $options; fi
done
set -- $(tr : ' ' </sys/class/net/eth0/address)
address=$(printf '%d.%d.%d.%d' 0x$3 0x$4 0x$5 0x$6)
ip link set lo up
ip link set eth0 up
ip address add $address/24 dev eth0
mkdir -p {KEPT}
echo "guest $address, boot $(cat /proc/sys/kernel/random/boot_id)" >/www/index.html
echo ok >/www/health
httpd -h /www
read up _ </proc/uptime
echo "guest $address is ready after $up s"
while :; do
    arping -q -U -I eth0 $address
    sleep 1
done
"""
"""Process 1 of the guest. Its address is in its MAC address; an answer tells its boot, so that a guest that
was started anew is not taken for one that was moved. No checksum is left to hardware that nobody has: Open
vSwitch in user space does not make up for it. The guest says where it is about once a second, as one with
something to say does: QEMU's announcement of a move may be lost, and who only answers is not found then. One
process does, which stays: QEMU's emulation misses a written page of a live migration now and then, the more
often the more processes begin, and a guest whose memory is from two moments hangs."""

GUEST_RECIPE = Recipe(
    name="guest",
    below=BASE_RECIPE,
    script=f"""
{_UPDATE}
apt-get -qy install busybox-static cpio
for folder in bin proc sys dev www{PATH}; do mkdir -p /tmp/guest/root/$folder; done
mkdir -p /{GUEST_FILES}
cd /tmp/guest
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
apt-get -q -o APT::Sandbox::User=root download "$kernel"
dpkg-deb --extract ./*.deb kernel
cp kernel/boot/vmlinuz-* /{GUEST_FILES}/vmlinuz
cp /bin/busybox root/bin/
for module in {" ".join(_MODULES)}; do
    find kernel/lib/modules -name $module.ko -exec cp {{}} root/ ';'
done
cat >root/init <<'EOF'
{_INIT}EOF
cat >root/www{PATH}/{COMMANDS[0]} <<'EOF'
{SERVICE}EOF
chmod 755 root/init root/www{PATH}/{COMMANDS[0]}
for name in {" ".join(COMMANDS[1:])}; do ln -s {COMMANDS[0]} root/www{PATH}/$name; done
(cd root && find . | cpio --quiet -o -H newc | gzip -1) >/{GUEST_FILES}/initrd.gz
cd /
rm -rf /tmp/guest
{_CLEAN}""",
)
"""A guest that is up after seconds in QEMU's own emulation: Debian's kernel for clouds, and a busybox."""
