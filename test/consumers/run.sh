#!/bin/sh
# Installs a finished CMake build, moves the installation elsewhere, and builds and runs a C and a
# C++20 program against it: through find_package (shared and static) and through pkg-config (shared
# and static, and README's program too). What must not compile does not, and a module that holds the
# static library shows nothing of it.
#   run.sh <build directory of the library> <scratch directory, made anew>
set -eu
source=$(cd "$(dirname "$0")" && pwd)
build=$1
rm -rf "$2"
mkdir -p "$2"
scratch=$(cd "$2" && pwd)

cmake --install "$build" --prefix "$scratch/first" > "$scratch/install.log"
mv "$scratch/first" "$scratch/moved"
prefix=$scratch/moved
library=$(dirname "$(find "$prefix" -name libupsilon.so)")
if grep -rn "$scratch/first\|$(cd "$build" && pwd)" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h*'; then
  echo "the installation names the folder it was built or first installed in" >&2
  exit 1
fi

cmake -S "$source" -B "$scratch/find_package" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release > "$scratch/configure.log"
cmake --build "$scratch/find_package" > "$scratch/build.log" || { cat "$scratch/build.log" >&2; exit 1; }
for program in c_upsilon cxx_upsilon c_static cxx_static; do
  echo "find_package, $program:"
  "$scratch/find_package/$program"
done

for program in c_static cxx_static; do
  if nm --dynamic --defined-only "$scratch/find_package/libmodule_${program%_static}.so" | grep ' ups_'; then
    echo "a module shows the symbols of the static library that it holds" >&2
    exit 1
  fi
done

export PKG_CONFIG_PATH="$library/pkgconfig"
sed -n '/^```cpp$/,/^```$/p' "$source/../../README.md" | sed '/^```/d' > "$scratch/readme.cc"
for wrong in NONE OUTPUT ASSIGNMENT ELEMENT; do
  # shellcheck disable=SC2046
  if ${CXX:-c++} -std=c++20 -fsyntax-only "-DWRONG_$wrong" $(pkg-config --cflags upsilon) "$source/constants.cc" \
    2> "$scratch/wrong.log"; then
    compiles=yes
  else
    compiles=no
  fi
  case $wrong-$compiles in
    NONE-no) cat "$scratch/wrong.log" >&2; exit 1 ;;
    NONE-yes | *-no) ;;
    *) echo "constants.cc compiles although it is wrong: $wrong" >&2; exit 1 ;;
  esac
done

for package in upsilon upsilon-static; do
  flags=$(pkg-config --cflags "$package")
  libraries=$(pkg-config --libs "$package")
  # Flags are lists of words.
  # shellcheck disable=SC2086
  ${CC:-cc} -std=c99 -Wall -Wextra -Werror $flags "$source/layer.c" -o "$scratch/c_$package" $libraries -lm
  # shellcheck disable=SC2086
  ${CXX:-c++} -std=c++20 -Wall -Wextra -Werror $flags "$source/layer.cc" -o "$scratch/cxx_$package" $libraries
  # shellcheck disable=SC2086
  ${CXX:-c++} -std=c++20 -Wall -Wextra -Werror $flags "$scratch/readme.cc" -o "$scratch/readme_$package" $libraries
  for program in "c_$package" "cxx_$package" "readme_$package"; do
    echo "pkg-config, $program:"
    LD_LIBRARY_PATH=$library "$scratch/$program"
  done
done
