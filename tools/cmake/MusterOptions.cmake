# Compiler, warnings, sanitizers, linker, compiler cache.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(MUSTER_SANITIZE "" CACHE STRING "address (with undefined), thread or empty")
option(MUSTER_FUZZ "Build the libFuzzer targets (clang only)" OFF)

find_program(MUSTER_CCACHE ccache)
if(MUSTER_CCACHE)
  # Sloppiness is what GCC's precompiled headers need to be cached at all.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${MUSTER_CCACHE})
endif()

add_library(muster_options INTERFACE)
target_compile_options(muster_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror)
target_include_directories(muster_options INTERFACE ${CMAKE_SOURCE_DIR})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess -fno-semantic-interposition)
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

find_program(MUSTER_MOLD mold)
if(MUSTER_MOLD AND NOT MUSTER_FUZZ)
  add_link_options(-fuse-ld=mold)
endif()

if(MUSTER_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer
    -fno-sanitize-recover=all -O1)
  # CAF 0.17.6 forms a null reference in its spawn header; vptr checks need RTTI
  # of libraries that are not instrumented.
  add_compile_options(-fno-sanitize=vptr,null)
  add_link_options(-fsanitize=address,undefined)
elseif(MUSTER_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -O1)
  add_link_options(-fsanitize=thread)
endif()
if(MUSTER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  # libstdc++ 12 hides std::expected from clang, which tells an older number of
  # concepts than it has.
  add_compile_options(-U__cpp_concepts -D__cpp_concepts=202002L
    -Wno-macro-redefined -Wno-builtin-macro-redefined)
endif()
