# Stops the servers once their owner is gone, however it went, and everybody else who uses them. Arguments: the owner's
# pid and start time, the run directory, the servers' home, the data directory, and "keep" or "remove" for what becomes
# of the data.
# Standard input is the stack's lock: it stays held until everything is down.
trap '' HUP INT QUIT
PATH=$PATH:/usr/bin:/bin
umask 077
owner=$1 started=$2 run=$3 home=$4 data=$5 after=$6

# Sets `seen` to the start time of a process; fails for one that is gone or a zombie. No forks where /proc exists.
look() {
    if [ -r /proc/self/stat ]; then
        line=
        { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
        # shellcheck disable=SC2086
        set -- ${line##*) }
        case $1 in Z | X | '') return 1 ;; esac
        seen=${20}
    else
        # shellcheck disable=SC2046
        seen=$(echo $(LC_ALL=C TZ=UTC0 ps -o lstart= -p "$1" 2>/dev/null))
        [ -n "$seen" ]
    fi
}

# Sets `pid` to a server's recorded pid; fails unless that process is really a server of this home.
ours() {
    pid=
    { read -r pid <"$run/$1.pid"; } 2>/dev/null || eval "pid=\$known_$1"
    [ -n "$pid" ] && look "$pid" || return 1
    if [ -r "/proc/$pid/cmdline" ]; then
        words=$(tr '\0' ' ' <"/proc/$pid/cmdline")
    else
        words=$(ps -o command= -p "$pid")
    fi
    case $1 in nats) mark="-c $home/nats.conf" ;; *) mark="-D $home/postgres" ;; esac
    case $words in *"$mark"*) return 0 ;; esac
    return 1
}

send() { ours "$1" && kill -"$2" "$pid" 2>/dev/null; }

# Waits up to $1 tenths of a second.
all_gone() {
    left=$1
    while ours initdb || ours nats || ours postgres; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        pause 0.1
    done
}

# The lock must not be kept by a sleeper that outlives this shell.
pause() { sleep "$1" </dev/null 2>/dev/null || sleep 1 </dev/null; }

# Whether the process $1 that began at $2 lives.
lives() { look "$1" && { [ -z "$2" ] || [ "$seen" = "$2" ]; }; }

# Whether any other process uses the servers; what dead ones wrote down is removed.
guests() {
    for guest in "$run"/guests/*; do
        case $guest in *.new) continue ;; esac
        pid= since=
        { read -r pid since <"$guest"; } 2>/dev/null || continue
        lives "$pid" "$since" && return 0
        rm -f "$guest"
    done
    return 1
}

# Puts standard input in the place of the state, in one step.
state() { cat >"$run/state.keeper" && mv -f "$run/state.keeper" "$run/state"; }

# Whoever uses the servers last may remove the directory, and nothing would say any more which processes they are.
known_initdb= known_nats= known_postgres=
remember() {
    for name in initdb nats postgres; do
        known=
        { read -r known <"$run/$name.pid"; } 2>/dev/null || continue
        case $known in '' | *[!0-9]*) ;; *) eval "known_$name=$known" ;; esac
    done
}

# Without the directory there is nothing to serve.
while [ ! -e "$run/left" ] && [ -e "$run/lock" ] && lives "$owner" "$started"; do
    remember
    pause 0.2
done
remember

# What others may rely on stands in the state from the moment the servers were ready. It is withdrawn before the last
# look for guests, who look at it after they have written themselves down: nobody is overlooked.
kept=
grep -q '^owner=' "$run/state" 2>/dev/null && kept=$(grep -v '^owner=' "$run/state")
while [ -n "$kept" ]; do
    echo "$kept" | grep '_port=' | state
    guests && look $$ || break
    { echo "owner=$$ $seen" && echo "$kept"; } | state
    while guests; do pause 0.2; done
done

# Twice: a server that was just being started when the owner died records its pid a moment later.
for round in 1 2; do
    send initdb TERM
    send nats CONT
    send nats TERM
    # Data that is going to be removed needs no checkpoint.
    if [ "$after" = remove ]; then send postgres QUIT; else send postgres INT; fi
    all_gone 100 || { send initdb KILL; send nats KILL; send postgres QUIT; }
    all_gone 50 || { send postgres KILL; all_gone 50; }
    [ "$round" = 2 ] || pause 0.1
done
rm -f "$run/left" "$run/initdb.pid" "$run/nats.pid" "$run/postgres.pid"

if [ "$after" = remove ]; then
    for round in 1 2 3 4 5; do
        rm -rf "$data" "$home" && break
        pause 0.5
    done
fi
