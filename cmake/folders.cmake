# One library per folder. The headers of a folder are reachable only through its target: each target
# exposes a directory that holds nothing but a link to its own folder, so an include of a folder that is
# not linked does not find its file.
function(kt_stage target folder)
  set(stage "${CMAKE_BINARY_DIR}/inc/${target}")
  cmake_path(GET folder PARENT_PATH parent)
  file(MAKE_DIRECTORY "${stage}/${parent}")
  if(NOT EXISTS "${stage}/${folder}")
    file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${folder}" "${stage}/${folder}" SYMBOLIC)
  endif()
  target_include_directories(${target} PUBLIC "${stage}")
endfunction()

# kt_library(kt_aws LINKS kt_http PRIVATE_LINKS OpenSSL::Crypto)
function(kt_library target)
  cmake_parse_arguments(ARG "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" OUTPUT_VARIABLE folder)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  if(sources)
    add_library(${target} STATIC ${sources})
  else()
    message(FATAL_ERROR "${folder}: no source files")
  endif()
  kt_stage(${target} ${folder})
  target_link_libraries(${target} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
endfunction()

# kt_test(test_aws LINKS kt_aws): all *_test.cpp of this folder as one GoogleTest program, known to ctest.
function(kt_test target)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}")  # tests may look everywhere
  target_link_libraries(${target} PRIVATE ${ARG_LINKS} kt_testing GTest::gtest_main)
  # Where the checkout is, for the few that read its files: a header and no definition, so that two checkouts share the compiler cache.
  target_include_directories(${target} PRIVATE "${CMAKE_BINARY_DIR}/gen")
  add_test(NAME ${target} COMMAND ${target})
endfunction()
