#!/usr/bin/env bash
# Every command of a program has --help with examples and the exit codes 0, 1 and 2; what is wrong with
# a command line is said with the command's name; the manual page has no faults, and the completion
# scripts load and complete.
# usage: command_line.sh <command that runs the program> <scratch folder>
set -euo pipefail
read -ra run <<<"$1"
program=$(basename "${run[-1]}") scratch=$2
rm -rf "$scratch"
mkdir -p "$scratch"
cd "$scratch"

failed=0
fail() {
  echo "$program $*"
  failed=1
}
# expect <exit code> <argument>...
expect() {
  local code=0 wanted=$1
  shift
  "${run[@]}" "$@" >out 2>err </dev/null || code=$?
  [ $code -eq "$wanted" ] || fail "$*: exit code $code, not $wanted: $(head -3 err)"
}

# says <line>: of the last call
says() { grep -qxF -- "$1" err || fail "says $(head -3 err), not $1"; }

expect 2
expect 2 no-such-command
says "$program: there is no command 'no-such-command'"
expect 2 --no-such-option
expect 0 --version
expect 0 --help
expect 0 man
mv out page.1

# What fails for want of a file, of every command.
declare -A missing=(
  [convert]="no.pth --arch hitut -o out.gguf" [inspect]="no.gguf" [export]="no.gguf -o out.safetensors"
  [diff]="no.gguf no.gguf" [plan]="no.gguf" [quantize]="no.gguf -o out.gguf"
  [keep-layers]="no.gguf 0 -o out.gguf" [prune-vocab]="no.gguf --corpus no.txt -o out.gguf"
  [factorize]="no.gguf --rank 2 -o out.gguf" [verify]="no.gguf no.safetensors"
  [accuracy]="no.gguf no.safetensors" [kernels]="--shapes no.txt" [model]="no.gguf"
  [report]="no.json -o out.html" [synth]="--arch resnet --size small -o no/out.gguf")
commands=$(sed -n 's/^\.SS //p' page.1 | sed 's/\\-/-/g')
for command in $commands; do
  expect 0 "$command" --help
  grep -A1 '^Examples:' out | grep -q '^  [^ ]' || fail "$command --help: no examples"
  ! grep -E '(INT|FLOAT|TEXT):' out || fail "$command --help: a value's type and its check"
  ! grep -E '^  --threads [^=]*$' out || fail "$command --help: --threads has a default"
  case $command in
    completion | man) ;;
    *)
      if [ -z "${missing[$command]:-}" ]; then
        fail "$command: this test knows no call of it"
        continue
      fi
      expect 1 "$command" ${missing[$command]}
      [ -s err ] || fail "$command: fails in silence"
      ;;
  esac
  # kernels hands on what it does not know.
  [ "$command" = kernels ] && continue
  expect 2 "$command" ${missing[$command]:-bash} --no-such-option
  grep -q "^$program $command: .*--no-such-option" err || fail "$command: $(head -3 err)"
done
expect 2 completion tcsh

if command -v groff >/dev/null; then
  groff -man -Tutf8 -ww page.1 >/dev/null 2>faults
  [ ! -s faults ] || fail "man: $(head -3 faults)"
else
  echo "skipped: the manual page's faults: no groff here"
fi

for shell in bash zsh fish; do
  expect 0 completion $shell
  mv out "complete.$shell"
done
# What is completed in bash, where the script leaves nothing to the shell itself.
completed() {
  bash -c 'source ./complete.bash; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
           "$(complete -p | sed "s/.*-F //; s/ .*//")"; echo "${COMPREPLY[*]}"' bash - "$program" "$@"
}
case $program in
  kinglet-weights) command=quantize partial=--att option=--attention value=s start=quan runs=verify ;;
  kinglet-bench) command=synth partial=--arc option=--arch value=hi start=syn runs=accuracy ;;
esac
# What is nearly a command, and what goes only with something else.
case $program in
  kinglet-weights)
    expect 2 convrt
    says "kinglet-weights: there is no command 'convrt'; did you mean 'convert'?"
    expect 2 prune-vocab no.gguf -o out.gguf
    says "kinglet-weights prune-vocab: --corpus or --drop-actions is required"
    expect 0 verify --help
    grep -q -- '--factor .*=10 ' out || fail "verify --help: $(grep -A1 factor out)"
    ;;
  kinglet-bench)
    expect 2 repor
    says "kinglet-bench: there is no command 'repor'; did you mean 'report'?"
    expect 2 accuracy no.gguf no.safetensors --within 0
    says "kinglet-bench accuracy: --within requires --recorded"
    expect 2 accuracy no.gguf
    expect 0 accuracy --help
    grep -q '^  files FILE \.\.\. REQUIRED ' out || fail "accuracy --help: $(grep files out)"
    ;;
esac

[ "$(completed $start)" = $command ] || fail "completion bash: $start: $(completed $start)"
[ "$(completed $command $partial)" = $option ] || fail "completion bash: $partial"
chosen=$(completed $command $option $value)
[ -n "$chosen" ] || fail "completion bash: $option $value"
[ "$(completed $command $option = $value)" = "$chosen" ] || fail "completion bash: $option=$value"

# Instruction sets go by name, those that this processor lacks too.
[ "$(completed $runs --isa sc)" = scalar ] || fail "completion bash: $runs --isa sc"
expect 2 $runs ${missing[$runs]} --isa nothing
grep -q "^$program $runs: --isa: nothing not in {.*scalar" err || fail "$runs: does not list the instruction sets"

if command -v zsh >/dev/null; then
  zsh -f -c 'compdef() { true }; source ./complete.zsh
             _arguments() { state=arguments; print -rl -- "$@" }
             words=('$command'); _'$program >specifications 2>faults || true
  [ ! -s faults ] || fail "completion zsh: $(head -3 faults)"
  grep -q -- "^$option=\[.*:(.*$chosen" specifications || fail "completion zsh: no $option"
else
  echo "skipped: completion in zsh: not here"
fi
if command -v fish >/dev/null; then
  HOME=$PWD fish --no-config -c "source complete.fish; complete -C '$program $command $partial'
                 complete -C '$program $command $option $value'" >completions 2>faults || true
  [ ! -s faults ] || fail "completion fish: $(head -3 faults)"
  grep -q -- "^$option" completions || fail "completion fish: no $option"
  grep -q "^$chosen" completions || fail "completion fish: no $chosen of $option"
else
  echo "skipped: completion in fish: not here"
fi
exit $failed
