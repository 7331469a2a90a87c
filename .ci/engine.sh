# Sourced by .ci/run: a Docker engine, and a Debian 13 base image made from Debian's packages.

BASE_IMAGE=retrainer-base:trixie
# In the base image: the certificates that this machine trusts, its network's own among them.
BASE_CERTIFICATES=/etc/ssl/host.crt

# Install what is missing of the named Debian packages.
need() {
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed' \
            || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "Installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# Start an engine unless one answers; ENGINE is its process if it is ours.
start_engine() {
    ENGINE=
    docker info >/dev/null 2>&1 && return 0
    local driver log=$1
    for driver in overlay2 vfs; do
        dockerd --storage-driver "$driver" >"$log" 2>&1 &
        ENGINE=$!
        for _ in $(seq 60); do
            docker info >/dev/null 2>&1 && return 0
            kill -0 "$ENGINE" 2>/dev/null || break
            sleep 0.5
        done
        stop_engine
    done
    echo "No Docker engine could be started; its last words:" >&2
    tail -20 "$log" >&2
    return 1
}

stop_engine() {
    [ -z "${ENGINE:-}" ] && return 0
    kill "$ENGINE" 2>/dev/null || true
    wait "$ENGINE" 2>/dev/null || true
    ENGINE=
}

# Where apt gets Debian's packages from on this machine.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' \
        | awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }'
}

# Make the base image unless it is there.
make_base() {
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return 0
    local root=$1/trixie mirror
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        echo "apt knows no mirror of Debian's packages" >&2
        return 1
    fi
    if ! debootstrap --variant=minbase --include=ca-certificates trixie "$root" "$mirror" \
        >"$1/debootstrap.log" 2>&1; then
        tail -20 "$1/debootstrap.log" >&2
        return 1
    fi
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    cp /etc/ssl/certs/ca-certificates.crt "$root$BASE_CERTIFICATES"
    tar -C "$root" -c . | docker import - "$BASE_IMAGE" >/dev/null
    rm -rf "$root"
}
