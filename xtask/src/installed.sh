#!/bin/sh
# Installs a Debian package over a layer of this system, uses it, removes it and purges it: sh installed.sh PACKAGE, in a mount namespace
# of its own. What is written is in memory, and gone with the namespace.
set -eu
package=$1
# A folder that every system has: nothing is left of it.
layer=/mnt
mount -t tmpfs none "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/system"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/system"
mount --rbind /dev "$layer/system/dev"
mount --rbind /proc "$layer/system/proc"
cp "$package" "$layer/system/alert-connectors.deb"

chroot "$layer/system" sh -eu <<'INSIDE'
fail() { echo "the package: $1" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
as_user() { setpriv --reuid=alert-connectors --regid=alert-connectors --clear-groups "$@"; }
data=/var/lib/alert-connectors
config=/etc/alert-connectors/config.toml

dpkg --install /alert-connectors.deb >/dev/null
[ "$(stat -c %a:%U $data)" = 700:alert-connectors ] || fail "$data is not the service's alone"
[ "$(stat -c %a:%U:%G $config)" = 640:root:alert-connectors ] || fail "$config may be read by others"
[ -e /usr/lib/systemd/system/alert-connectors.service ] || fail "the unit is missing"
[ -e /usr/share/man/man1/alert-connectors.1.gz ] || fail "the manual is missing"
as_user alert-connectors space add data --name Data --config $config
as_user alert-connectors serve --print-config --config $config | grep -q "sqlite://$data/" || fail "its settings are not read"
[ -e $data/alert-connectors.db ] || fail "the database is not in $data"

# An upgrade to itself, as to any other version, keeps the settings and the data.
echo '# changed' >> $config
dpkg --install /alert-connectors.deb >/dev/null
grep -q '# changed' $config && [ -e $data/alert-connectors.db ] || fail "an upgrade loses settings or data"

dpkg --remove alert-connectors >/dev/null
[ ! -e /usr/bin/alert-connectors ] || fail "the program outlives its removal"
[ -e $data/alert-connectors.db ] && [ -e $config ] || fail "a removal takes the data or the settings"
dpkg --purge alert-connectors >/dev/null 2>&1
[ ! -e $data ] && [ ! -e /etc/alert-connectors ] || fail "data or settings outlive the purge"
! getent passwd alert-connectors >/dev/null || fail "the user outlives the purge"
INSIDE
