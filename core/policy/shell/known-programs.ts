/** Programs that can run what a command's text does not show: languages, editors, pagers, task runners, containers, schedulers. */
const INTERPRETERS = new Set(
  `python pypy perl ruby node nodejs deno bun php lua luajit tclsh wish expect java jshell groovy scala R Rscript julia ghci
   irb ipython guile racket sbcl erl elixir iex swift go cargo
   vi vim nvim view vimdiff ex ed emacs emacsclient nano pico joe mcedit sudoedit visudo vipw vigr less more most man info pg
   gdb lldb strace ltrace perf valgrind bpftrace
   psql mysql mariadb sqlite mongo mongosh redis-cli sqlplus ftp sftp telnet lftp
   make gmake cmake ninja just rake ant mvn gradle npm npx yarn pnpm pip pipx gem bundle composer
   docker podman nerdctl ctr crictl kubectl helm lxc machinectl systemd-nspawn vagrant virsh
   ansible ansible-playbook puppet chef-client salt salt-call terraform
   tmux screen script at batch crontab run-parts systemd-run start-stop-daemon unshare nsenter bwrap firejail proot
   fd fdfind entr inotifywait rlwrap unbuffer dbus-run-session ssh-agent xvfb-run csh tcsh fish nu pwsh
   source . zip socat`.split(/\s+/),
);

/** Programs that reach other hosts. */
const NETWORK = new Set(
  `curl wget nc ncat netcat socat telnet ftp tftp sftp ssh scp sshfs slogin rsh rlogin rcp mosh autossh ssh-copy-id lftp aria2c
   axel rclone nmap openssl masscan tcpdump dig host nslookup http https xh aws gcloud gsutil az s3cmd mc smbclient ldapsearch
   mail sendmail mailx msmtp swaks openvpn wg-quick iperf iperf3 kubectl helm`.split(/\s+/),
);

/** Programs that run something as somebody else. */
const AS_OTHERS = new Set(["sudo", "doas", "su", "sudoedit", "pkexec", "run0", "runuser", "sg", "newgrp", "visudo"]);

/** Shells whose language is the one that we read. */
export const SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash"]);

/** `python3.11` is Python, `mkfs.ext4` makes a file system. */
export function stemOf(program: string): string {
  const [first = ""] = program.split(".");
  return first.replace(/-?\d+$/, "") || program;
}

export function isInterpreter(program: string): boolean {
  return INTERPRETERS.has(program) || INTERPRETERS.has(stemOf(program));
}

export function reachesOthers(program: string): boolean {
  return NETWORK.has(program);
}

export function actsAsOthers(program: string): boolean {
  return AS_OTHERS.has(program);
}
