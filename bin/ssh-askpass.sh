#!/bin/sh
# Run by ssh for `sallyport ssh`: tells the pass to the gateway and to nobody else that may ask on the way (cli/ssh.ts).
case "$1" in
  *"@sallyport/gateway's password: ") printf '%s\n' "$SALLYPORT_SSH_PASS" ;;
  *) printf 'sallyport ssh does not answer: %s\n' "$1" >&2; exit 1 ;;
esac
