# Functions that CMakeLists.txt uses; each does one thing for one target.

set(helpers_directory ${CMAKE_CURRENT_LIST_DIR})

# What a C program links besides the static library.
if(APPLE)
  set(upsilon_cxx_runtime c++)
else()
  set(upsilon_cxx_runtime stdc++)
endif()

# Nothing here changes results: values are those of strict IEEE arithmetic, only errno and exception
# flags are given up.
function(upsilon_compile_options target)
  set(cxx_options -O3 -fno-math-errno -fno-trapping-math -Wall -Wextra -Wshadow -Wno-unknown-pragmas -Wno-psabi)
  if(UPSILON_WERROR)
    list(APPEND cxx_options -Werror)
  endif()
  if(UPSILON_SANITIZE)
    list(REMOVE_ITEM cxx_options -O3)
    list(APPEND cxx_options -O1 -g1 -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize=${UPSILON_SANITIZE})
    target_link_options(${target} PRIVATE -fsanitize=${UPSILON_SANITIZE})
  elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
    list(REMOVE_ITEM cxx_options -O3)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Two copies of the library in one process must not share statics.
    list(APPEND cxx_options -fno-gnu-unique)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      list(APPEND cxx_options -Wno-restrict)  # false alarms in std::string's operator+: GCC bug 105651
    endif()
  endif()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${cxx_options}>")
endfunction()

# Only the named symbols are visible. The file stays mapped once loaded: its threads may outlive
# whoever loaded it.
function(upsilon_link_options target)
  if(APPLE)
    list(TRANSFORM ARGN REPLACE "^(.*)$" "_\\1" OUTPUT_VARIABLE symbols)
    list(JOIN symbols "\n" content)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${target}.exports CONTENT "${content}\n" @ONLY)
    target_link_options(${target} PRIVATE "LINKER:-exported_symbols_list,${PROJECT_BINARY_DIR}/${target}.exports")
  elseif(UNIX)
    list(JOIN ARGN "; " symbols)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${target}.map CONTENT "{ global: ${symbols}; local: *; };\n" @ONLY)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${PROJECT_BINARY_DIR}/${target}.map"
      LINKER:-z,nodelete LINKER:--as-needed)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${PROJECT_BINARY_DIR}/${target}.map)
    if(UPSILON_STATIC_RUNTIME)
      target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
    endif()
  endif()
endfunction()

# What a program that uses the library from the build tree or from an installation sees.
function(upsilon_public_interface target)
  target_include_directories(${target} INTERFACE "$<BUILD_INTERFACE:${upsilon_include_directories}>"
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

# libupsilon.a holds a single object. Operations register themselves by static objects that nothing
# refers to; a linker would leave out the members of an ordinary archive that hold them, and an
# archive of one member comes whole. On ELF systems its internal symbols are made local too, so that
# they meet nothing in the program, and ups_* hidden unless UPSILON_STATIC_EXPORTS is on: a shared
# object that the archive becomes part of shows them to nobody. (Of the visibilities that objects
# give a symbol, the linker keeps the narrowest; the objects themselves are those of libupsilon.so.)
function(upsilon_add_static_library target)
  set(whole ${PROJECT_BINARY_DIR}/upsilon_whole.o)
  set(localize)
  set(group_option)
  set(hide)
  set(hidden)
  if(NOT APPLE)
    # Inline functions lose their link-once groups: a program's own copy must not displace what
    # local symbols refer to.
    set(group_option --force-group-allocation)
    set(localize COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=ups_* ${whole})
    if(NOT UPSILON_STATIC_EXPORTS)
      set(hidden ${PROJECT_BINARY_DIR}/upsilon_hidden.o)
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/native/core/exports.txt)
      file(STRINGS ${PROJECT_SOURCE_DIR}/native/core/exports.txt directives)
      list(TRANSFORM directives PREPEND ".hidden ")
      list(JOIN directives "\n" directives)
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/upsilon_hidden.s @ONLY
        CONTENT "${directives}\n.section .note.GNU-stack,\"\",%progbits\n")
      set(hide COMMAND ${CMAKE_CXX_COMPILER} -c ${PROJECT_BINARY_DIR}/upsilon_hidden.s -o ${hidden})
    endif()
  endif()
  # CMake counts the precompiled header among the objects.
  set(objects "$<FILTER:$<TARGET_OBJECTS:upsilon_objects>,EXCLUDE,\\.[gp]ch$>")
  add_custom_command(OUTPUT ${whole} ${hide}
    COMMAND ${CMAKE_LINKER} -r ${group_option} -o ${whole} ${objects} ${hidden}
    ${localize}
    DEPENDS upsilon_objects ${objects}
    COMMENT "Joining the objects of libupsilon.a" COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(${target} STATIC ${whole})
  add_library(upsilon::static ALIAS ${target})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME upsilon EXPORT_NAME static LINKER_LANGUAGE CXX)
  target_link_libraries(${target} INTERFACE Threads::Threads ${CMAKE_DL_LIBS} ${upsilon_cxx_runtime} m)
  if(NOT UPSILON_STATIC_EXPORTS)
    target_compile_definitions(${target} INTERFACE UPS_STATIC)
  endif()
  upsilon_public_interface(${target})
endfunction()

# Sets UPSILON_WITH_CUDA and enables the language. The toolkit is often installed without being on
# PATH.
macro(upsilon_find_nvcc)
  include(CheckLanguage)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(UPSILON_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES bin)
    if(UPSILON_NVCC)
      set(CMAKE_CUDA_COMPILER ${UPSILON_NVCC} CACHE FILEPATH "nvcc")
    endif()
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    # Machine code for A100 and H100, and PTX from which newer drivers make code for every later
    # device.
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90a-real;80-virtual" CACHE STRING "CUDA architectures")
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # not known to CMake before 3.26
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    endif()
    set(UPSILON_WITH_CUDA ON)
  elseif(UPSILON_CUDA STREQUAL "ON")
    message(FATAL_ERROR "UPSILON_CUDA is ON, but no CUDA compiler (nvcc) was found")
  endif()
  message(STATUS "upsilon: CUDA plug-in ${UPSILON_WITH_CUDA}")
endmacro()

# Sets node_api_include_directories: from cmake-js, else from the npm packages in node_modules.
# Nothing is downloaded.
function(upsilon_find_node_api)
  if(CMAKE_JS_VERSION)
    set(node_api_include_directories ${CMAKE_JS_INC} PARENT_SCOPE)
    return()
  endif()
  find_program(NODE_EXECUTABLE NAMES node nodejs REQUIRED)
  execute_process(
    COMMAND ${NODE_EXECUTABLE} -p "[require('node-api-headers').include_dir, path.dirname(require.resolve('node-addon-api/package.json'))].join(';')"
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE directories OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  set(node_api_include_directories ${directories} PARENT_SCOPE)
endfunction()

function(upsilon_install_pkg_config name)
  set(pkg_config_libs "-L\${libdir} -lupsilon")
  set(pkg_config_cflags "-I\${includedir}")
  if(name STREQUAL "upsilon-static")
    set(pkg_config_libs "\${libdir}/libupsilon.a -l${upsilon_cxx_runtime} -lm -ldl -pthread")
    if(NOT UPSILON_STATIC_EXPORTS)
      string(APPEND pkg_config_cflags " -DUPS_STATIC")
    endif()
  endif()
  file(RELATIVE_PATH up_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  configure_file(${helpers_directory}/upsilon.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
