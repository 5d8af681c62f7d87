# shellcheck shell=bash disable=SC2154 # hack/cluster sets what is not set here
# Part of hack/cluster: container images made with tar, for a machine without an engine.

authorities=/etc/ssl/certs/ca-certificates.crt # CAs, in the place where Go and OpenSSL look

# archive FILE REF BINARY [SRC:DST]... writes an image in the format of "docker
# save": one layer with the program as entry point, the shared libraries it is
# linked with, the CAs of this machine if it has any, and SRC at the absolute path DST.
archive() ( # a shell of its own, for its trap
  (($# >= 3)) || die 'usage: hack/cluster archive FILE REF BINARY [SRC:DST]...'
  local file=$1 ref=$2 binary=$3 work root name pair library config
  shift 3
  [[ $ref == *:* ]] || ref=$ref:latest
  name=$(basename "$binary")
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # it is known now, and no longer when the shell ends
  trap "rm -rf '$work'" EXIT
  root=$work/files
  mkdir -p "$root/tmp"
  chmod 1777 "$root/tmp"

  copy "$binary" "$root/$name"
  chmod 0755 "$root/$name"
  for library in $(ldd "$binary" 2>/dev/null | grep -o '/[^ ]*'); do copy "$library" "$root$library"; done
  if [[ -e $authorities ]]; then copy "$authorities" "$root$authorities"; fi
  for pair in "$@"; do copy "${pair%%:*}" "$root${pair#*:}"; done

  # The same files make the same image, whenever and by whom.
  tar --create --file "$work/layer.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
  image_config "$name" "$(digest "$work/layer.tar")" >"$work/config.json"
  config=$(digest "$work/config.json").json
  mv "$work/config.json" "$work/$config"
  printf '[{"Config": "%s", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]' "$config" "$ref" >"$work/manifest.json"
  tar --create --file "$file" --directory "$work" manifest.json "$config" layer.tar
)

# image_config PROGRAM DIGEST: whoever runs it, it is not root.
image_config() {
  printf '{"architecture": "%s", "os": "linux", "config": {"Entrypoint": ["/%s"], "User": "65532:65532"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:%s"]}}' "$(go env GOARCH)" "$1" "$2"
}

copy() {
  mkdir -p "$(dirname "$2")"
  cp --recursive --dereference "$1" "$2"
}

digest() { sha256sum "$1" | cut -d ' ' -f 1; }

image() {
  (($# >= 2)) || die 'usage: hack/cluster image REF BINARY [SRC:DST]...'
  alive containerd || die 'the cluster is not up'
  local file
  file=$(mktemp "$run/image.XXXXXX")
  archive "$file" "$@"
  containers images import "$file" >/dev/null
  rm "$file"
  say "loaded $1"
}

# load_pause makes the image of a program that only waits to be ended.
load_pause() {
  if [[ ! -x $bin/pause ]]; then
    (cd "$here/cluster.d/pause" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin/pause" .)
  fi
  image "$pause" "$bin/pause"
}
