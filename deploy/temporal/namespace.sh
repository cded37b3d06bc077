#!/bin/sh
# Makes the namespace and the search attributes the workflows use; whatever is there already is left as it is.
set -eu

attempt() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ]; then
            echo "Gave up after 60 attempts: $*" >&2
            exit 1
        fi
        sleep 1
    done
}

has_attribute() {
    temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" | grep -qw "$1"
}

attempt temporal operator cluster health

if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 72h
fi

# A new namespace reaches every part of the cluster within seconds, not at once.
attempt temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" >/dev/null
for name in PostroomTenant PostroomChannel PostroomPriority PostroomStatus PostroomCampaign; do
    if ! has_attribute "$name"; then
        attempt temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword
    fi
    attempt has_attribute "$name"
done
