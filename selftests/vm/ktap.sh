# shellcheck shell=bash
# KTAP for tests in shell: ktap_plan N, then N times ktap_case NAME COMMAND...

ktap_plan() {
	echo "KTAP version 1"
	echo "1..$1"
	ktap_number=0
	ktap_failed=0
}

# ktap_case NAME COMMAND...: ok if the command succeeds; its output is the
# diagnostics of a failure
ktap_case() {
	local name=$1 output
	shift
	ktap_number=$((ktap_number + 1))
	if output=$("$@" 2>&1); then
		echo "ok $ktap_number - $name"
	else
		ktap_failed=$((ktap_failed + 1))
		[[ -z $output ]] || echo "# ${output//$'\n'/$'\n'# }"
		echo "not ok $ktap_number - $name"
	fi
}

ktap_skip() {
	ktap_number=$((ktap_number + 1))
	echo "ok $ktap_number - $1 # SKIP $2"
}

# ktap_end: the exit status of the whole
ktap_end() {
	[[ $ktap_failed == 0 ]]
}
