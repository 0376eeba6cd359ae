#!/bin/sh
# What rediagnose reads of a Redis or Valkey server's machine, for one that it can't log into. Run it there:
#
#   sh host-script.sh [PORT [CONFIG_FILE [LOG_FILE]]] > facts.txt
#
# It reads and changes nothing, and takes about 3 seconds. As root or as the server's own user it sees more. What it
# prints is plain text to look through first: no environment, no arguments but a few known ones, no passwords (secret
# parameters, users and renamed commands of the configuration come as ***), no raw client names or data of the log.

LC_ALL=C
export LC_ALL
port=${1:-6379} conf=${2:-} log=${3:-}
case $port in '' | *[!0-9]*) echo "usage: sh host-script.sh [PORT [CONFIG_FILE [LOG_FILE]]]" >&2; exit 2 ;; esac
hex=$(printf '%04X' "$port")

put() { echo "@$1 $2"; sed 's/^/ /'; }                                     # a section from standard input
text() { [ -r "$1" ] && content=$(cat "$1" 2>/dev/null) && printf '%s\n' "$content" | put text "$1"; }
lines() { [ -r "$1" ] && grep -E "$2" "$1" 2>/dev/null | put text "$1"; }
within() { if command -v timeout >/dev/null; then timeout 5 "$@"; else "$@"; fi; }
size() { [ -f "$1" ] && [ -r "$1" ] && wc -c <"$1" 2>/dev/null | tr -d ' ' | put size "$2"; }
space() { room=$(within stat -f -c '%S %b %f %a %c %d' "$1" 2>/dev/null) && echo "$room" | put space "$2"; }

# The process: a server by its name that listens on the port in its own network namespace, by its socket where that
# may be seen (one outside of containers first), else by its title.
pid=
title=
elsewhere=
for folder in /proc/[0-9]*; do
    read -r name 2>/dev/null <"$folder/comm" || continue
    case $name in *redis*server* | *valkey*server* | *keydb*server* | *sentinel* | *redis6-server* | dragonfly*) ;; *) continue ;; esac
    inodes=$(cat "$folder/net/tcp" "$folder/net/tcp6" 2>/dev/null |
        awk -v port="$hex" '{n = split($2, a, ":"); if (a[n] == port && $4 == "0A") print $10}')
    for inode in $inodes; do
        ls -l "$folder/fd" 2>/dev/null | grep -q "socket:\[$inode\]" || continue
        grep -qs " $inode " /proc/net/tcp /proc/net/tcp6 && pid=${folder#/proc/} && break 2
        elsewhere=${folder#/proc/}
    done
    case $(awk '$1 == "State:" {print $2}' "$folder/status" 2>/dev/null) in D | Z | '') continue ;; esac
    case $(tr '\0' ' ' 2>/dev/null <"$folder/cmdline") in
    *bgsave* | *aofrewrite* | *slot-migration*) ;;
    *:"$port" | *:"$port "*) title=${folder#/proc/} ;;
    esac
done
pid=${pid:-${elsewhere:-$title}}
own=/proc/$pid
state=$(awk '$1 == "State:" {print $2}' "$own/status" 2>/dev/null)
net=/proc/net
[ -n "$pid" ] && [ -r "$own/net/tcp" ] && net=$own/net

# Its arguments, of which only these are looked at; most servers overwrite them with their title.
known=
if [ -n "$pid" ] && [ "$state" != D ]; then
    known=$(tr '\0' '\n' 2>/dev/null <"$own/cmdline" | awk '
        NR == 1 {split($0, word, " "); print word[1]; next}
        NR == 2 && /\// && !/^-/ {print; next}
        keep {print; keep = 0; next}
        tolower($0) == "--maxclients" {print; keep = 1}')
    file=$(printf '%s\n' "$known" | awk 'NR == 2 && /\// {print}')
    case $file in '' | /*) ;; *) file= ;; esac
    conf=${conf:-$file}
fi
root=
[ -n "$pid" ] && [ -r "$own/root/etc" ] && root=$own/root
if [ -z "$conf" ]; then
    for file in /etc/redis/redis.conf "/etc/redis/$port.conf" /etc/redis.conf /etc/redis/redis-server.conf \
        /etc/valkey/valkey.conf "/etc/valkey/$port.conf" /usr/local/etc/redis/redis.conf /data/redis.conf; do
        [ -r "$root$file" ] || continue
        [ "$(awk 'tolower($1) == "port" {port = $2} END {print port ? port : 6379}' "$root$file")" = "$port" ] || continue
        conf=$file
        break
    done
fi
at() { if [ -r "$root$1" ]; then echo "$root$1"; else echo "$1"; fi; }
# One parameter of the configuration, without its quotes.
said() { [ -n "$conf" ] && awk -v name="$1" 'tolower($1) == name {v = $2; gsub(/["\047]/, "", v)} END {print v}' \
    "$(at "$conf")" 2>/dev/null; }
masked() {
    head -c 262144 "$1" 2>/dev/null | awk '
        {name = tolower($1); gsub(/["\047]/, "", name)}
        name == "" || name ~ /^#/ {next}
        name ~ /^(requirepass|masterauth|primaryauth|masteruser|primaryuser|user|sentinel|rename-command)$/ ||
        name ~ /pass(word|phrase)?$|secret/ {print name, "***"; next}
        name == "loadmodule" {print name, $2; next}
        {print}' | sed 's#//[^/@ ]*@#//***@#g' | cut -c1-500
}
config() { [ -r "$(at "$1")" ] && size "$(at "$1")" "$1" && masked "$(at "$1")" | put text "$1"; }

# The folder of the data, as this script opens it and as it's named.
data=$own/cwd
if [ -z "$pid" ] || ! [ -x "$data/." ]; then data=$(said dir); fi
# The log: what was given, what the configuration says, what the process writes its output to.
file=${log:-$(said logfile)}
opened=
case $file in
'') for number in 1; do
        target=$(readlink "$own/fd/$number" 2>/dev/null) || continue
        case $target in /dev/*) continue ;; /*) file=$target opened=$(at "$target") && break ;; esac
    done ;;
/*) opened=$(at "$file") ;;
*) opened=$data/$file file=$opened ;;
esac
log=
[ -n "$opened" ] && [ -f "$opened" ] && [ -r "$opened" ] && log=$file

moving() {
    echo "@sample $1"
    text /proc/uptime
    lines /proc/stat '^cpu'
    lines /proc/vmstat '^(pswpin|pswpout|oom_kill) '
    [ -r "$net/dev" ] && put text /proc/net/dev <"$net/dev"
    grep '^TcpExt:' "$net/netstat" 2>/dev/null | put text /proc/net/netstat
    grep '^Tcp:' "$net/snmp" 2>/dev/null | put text /proc/net/snmp
    # Threads of the kernel and others that never ran aren't told, except for servers.
    cat /proc/[0-9]*/stat 2>/dev/null | awk '
        {rest = $0; sub(/^.*\) /, "", rest); split(rest, f, " ")}
        f[12] + f[13] > 0 || /redis|valkey|keydb|dragonfly/' | cut -c1-300 | head -n 5000 | put tasks all
    [ -n "$pid" ] || return
    for name in stat io status; do text "$own/$name"; done
    text "$own/task/$pid/stat"
    text "$own/task/$pid/schedstat"
    text "$own/cgroup"
    while IFS=: read -r _ names path; do
        for name in $(echo "${names:--}" | tr ',' ' '); do
            case $name in cpu | memory | pids | freezer) top=/sys/fs/cgroup/$name ;; -) top=/sys/fs/cgroup ;; *) continue ;; esac
            [ "$name" = - ] && ! [ -r $top/cgroup.controllers ] && top=/sys/fs/cgroup/unified
            folder=$top$path
            folder=${folder%/}
            while :; do
                for limit in cpu.max cpu.stat cpu.cfs_quota_us cpu.cfs_period_us memory.max memory.limit_in_bytes \
                    memory.current memory.usage_in_bytes memory.events memory.oom_control pids.max pids.current \
                    freezer.state cgroup.events cgroup.controllers; do
                    text "$folder/$limit"
                done
                [ "$folder" = "$top" ] && break
                case $folder in "$top"/*) folder=${folder%/*} ;; *) break ;; esac
            done
        done
    done <"$own/cgroup" 2>/dev/null
}

still() {
    for name in /proc/loadavg /proc/sys/vm/overcommit_memory /proc/sys/vm/swappiness /proc/sys/net/core/somaxconn \
        /proc/sys/net/ipv4/tcp_max_syn_backlog /proc/pressure/cpu /proc/pressure/io /proc/pressure/memory \
        /sys/kernel/mm/transparent_hugepage/enabled; do
        text $name
    done
    lines /proc/meminfo '^(MemTotal|MemAvailable|SwapTotal|SwapFree):'
    for name in tcp tcp6; do
        [ -r "$net/$name" ] && awk -v port="$hex" '
            {n = split($2, a, ":")}
            NR == 1 || a[n] == port {print $1, $2, $3, $4, $5, $6, $7}' "$net/$name" | put text "/proc/net/$name"
    done
    # Only ss tells how many may wait at a listener; it looks at this network namespace, which may be another.
    inode=$(awk -v port="$hex" '{n = split($2, a, ":")} a[n] == port && $4 == "0A" {print $10; exit}' \
        "$net/tcp" "$net/tcp6" 2>/dev/null)
    grep -qs " ${inode:-none} " /proc/net/tcp /proc/net/tcp6 && ss -ltn 2>/dev/null | awk -v port=":$port" '
        $1 == "LISTEN" && substr($4, length($4) - length(port) + 1) == port {print $3}' | put text ss
    [ -n "$conf" ] && config "$conf" && masked "$(at "$conf")" | awk '$1 == "include" && $2 ~ /^\// {print $2}' |
        head -n 15 | while read -r pattern; do
            for file in $root$pattern; do [ -r "$file" ] && config "${file#"$root"}"; done
        done
    if [ -n "$log" ]; then
        size "$opened" "$log"
        date -r "$opened" +%s 2>/dev/null | put modified "$log"
        tail -c 262144 "$opened" | grep -E '^[0-9]+:[A-Z] |^pid=|BUG REPORT|crashed by' | grep -v 'argv\[' | tail -n 2000 |
            sed -e 's/qbuf initial bytes:.*/qbuf initial bytes: (hidden)/' -e 's/auth-pass .*/auth-pass (hidden)/' \
                -e 's#//[^/@ ]*@#//***@#g' -e 's/ \(name\|user\|lib-name\)=[^ ]*/ \1=/g' | cut -c1-400 | put tail "$log"
        space "$(dirname "$opened")" "$(dirname "$log")"
    fi
    if [ -n "$data" ] && [ -d "$data/." ]; then
        target=$(readlink "$data") && echo "$target" | put link "$data"
        space "$data/." "$data"
        parts=$(said appenddirname)
        dump=$(said dbfilename)
        (cd "$data/." 2>/dev/null && ls | grep -E '\.rdb$|\.aof|^temp-' | head -n 200
            [ -n "$dump" ] && echo "$dump") | sort -u | put names "$data"
        for folder in "$data" "$data/${parts:-appendonlydir}"; do
            [ "$folder" = "$data" ] || { [ -d "$folder" ] && ls "$folder" 2>/dev/null | head -n 200 | put names "$folder"; }
            for file in "$folder/$dump" "$folder"/*.rdb "$folder"/*.aof* "$folder"/temp-*; do
                [ -f "$file" ] && size "$file" "$file"
            done
            for file in "$folder"/*.manifest; do lines "$file" '^file '; done
        done
    fi
    awk '{split($4, option, ","); print "-", $2, $3, option[1]}' "/proc/${pid:-self}/mounts" 2>/dev/null | head -n 1000 |
        put text "/proc/${pid:-self}/mounts"
    [ -n "$pid" ] || return
    text "$own/limits"
    text "$own/oom_score_adj"
    [ -n "$known" ] && printf '%s\n' "$known" | put text "$own/cmdline"
    # Counting its pages holds the lock of its memory: not in a state that can't be interrupted, and not of a large one.
    rss=$(awk '$1 == "VmRSS:" {print $2}' "$own/status" 2>/dev/null)
    [ "$state" != D ] && [ "${rss:-0}" -le 4194304 ] && text "$own/smaps_rollup"
    numbers=$(ls "$own/fd" 2>/dev/null) && printf '%s\n' "$numbers" | sort -n | put names "$own/fd"
    for number in $(printf '%s\n' "$numbers" | sort -n | head -n 64); do
        target=$(readlink "$own/fd/$number" 2>/dev/null) || continue
        case $target in socket:* | anon_inode:*) [ "$number" -le 2 ] || continue ;; esac
        echo "$target" | put link "$own/fd/$number"
        case $target in *.rdb | *.aof) text "$own/fdinfo/$number" ;; esac
    done
}

{
    echo 'rediagnose host facts 1'
    echo "@port $port"
    echo "@pid ${pid:--}"
    echo "@config ${conf:--}"
    echo "@log ${log:--}"
    moving 1
    sleep 2
    moving 2
    echo "@taken $(date +%s)"
    still
} | awk '{print} END {print "@end " NR + 1}'
