# muster_link_statically(pattern): imported shared libraries whose target's name
# matches are linked from the archive beside them, where there is one. Calls
# into them then need no table of addresses and thread-locals no look-up: a
# fifth of a gRPC call.
function(muster_link_statically pattern)
  get_directory_property(targets IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    if(NOT target MATCHES "${pattern}")
      continue()
    endif()
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    foreach(configuration IN LISTS configurations)
      set(property IMPORTED_LOCATION_${configuration})
      get_target_property(shared ${target} ${property})
      string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${shared}")
      if(EXISTS "${archive}")
        set_target_properties(${target} PROPERTIES ${property} "${archive}")
      endif()
    endforeach()
  endforeach()
endfunction()

# muster_library(name DEPS … [PCH core|actors|net]): a static library of all
# .cpp files of the calling folder (not of its sub-folders).
function(muster_library name)
  cmake_parse_arguments(ARG "" "PCH" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "*.cpp")
  if(NOT sources) # headers only
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE muster_options)
  muster_use_pch(${name} "${ARG_PCH}")
endfunction()

# One precompiled header per kind, shared by all targets that name it.
function(muster_use_pch name kind)
  if(NOT kind OR MUSTER_FUZZ)
    return()
  endif()
  get_target_property(type ${name} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # GCC takes a precompiled header only with the very flags it was made with:
    # -fPIC, as for libraries, and not an executable's -fPIE.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${name} REUSE_FROM muster_pch_${kind})
endfunction()

function(muster_add_pch kind)
  cmake_parse_arguments(ARG "" "" "DEPS;HEADERS" ${ARGN})
  set(stub "${CMAKE_BINARY_DIR}/pch/${kind}.cpp")
  if(NOT EXISTS "${stub}")
    file(WRITE "${stub}" "// Precompiles the headers named in CMake.\n")
  endif()
  add_library(muster_pch_${kind} STATIC "${stub}")
  target_link_libraries(muster_pch_${kind} PUBLIC ${ARG_DEPS}
    PRIVATE muster_options)
  target_precompile_headers(muster_pch_${kind} PRIVATE ${ARG_HEADERS})
endfunction()

# muster_test(name DEPS … [PCH kind] [LABELS …]): a doctest program of all .cpp
# files of the calling folder, registered with ctest.
function(muster_test name)
  cmake_parse_arguments(ARG "" "PCH" "DEPS;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "*.cpp")
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} muster_test_main
    muster_options)
  muster_use_pch(${name} "${ARG_PCH}")
  add_test(NAME ${name} COMMAND ${name})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
