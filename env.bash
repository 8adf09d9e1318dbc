# `source env.bash` puts the built package and the program `text2gesture` on the path.
# With a ROS 2 Jazzy of your own, source that and install/setup.bash instead; this file is for the .venv.
_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"
if [ ! -e "$_root/.venv/built" ]; then
  echo "env.bash: not built yet, run 'make setup' first" >&2
  return 1
fi
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE  # another environment's mark would keep this one from finding its libraries
source "$_root/.venv/bin/activate"
export AMENT_PREFIX_PATH="$_root/.venv"
source "$_root/install/setup.bash"
export PATH="$_root/install/text2gesture_ros/bin:$PATH"
export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_root/config/fastdds.xml}"
unset _root
