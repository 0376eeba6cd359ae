"""How a shell completes target names: it reads rediagnose.toml itself, without running our program."""

_READ = r"""
for file in "${REDIAGNOSE_CONFIG:-rediagnose.toml}" "${XDG_CONFIG_HOME:-$HOME/.config}/rediagnose/rediagnose.toml"; do
  [ -f "$file" ] && awk '
    /^[ \t]*\[/ { inside = ($0 ~ /^[ \t]*\[\[[ \t]*targets[ \t]*\]\]/) }
    inside && /^[ \t]*name[ \t]*=/ {
      sub(/^[^=]*=[ \t]*["\047]/, "")
      if (match($0, /^[A-Za-z0-9_.-]+["\047]/)) print substr($0, 1, RLENGTH - 1)
    }' "$file"
  [ -n "$REDIAGNOSE_CONFIG" ] && break
done 2>/dev/null
"""
# Only plain names: bash expands what it is given, and a folder's file may be written by a stranger.
TARGETS = {
    "bash": "_rediagnose_targets",
    "zsh": "_rediagnose_targets",
    "fish": "(_rediagnose_targets)",
    "preamble": {
        "bash": f'_rediagnose_targets() {{\n  compgen -W "$({_READ})" -- "$1"\n}}',
        "zsh": f'_rediagnose_targets() {{\n  local -a names\n  names=(${{(f)"$({_READ})"}})\n  compadd -a names\n}}',
        "fish": "function _rediagnose_targets\n  sh -c '" + _READ.replace("\\", "\\\\").replace("'", "\\'") + "'\nend",
    },
}
"""By shell, in the form that shtab takes."""
