# What the build uses from Debian 12; README.md says what each is for.
find_package(Threads REQUIRED)
find_package(CAF REQUIRED)
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL REQUIRED)
set(Protobuf_USE_STATIC_LIBS ON)
find_package(Protobuf REQUIRED)
find_package(RocksDB REQUIRED)
find_package(gRPC REQUIRED)
muster_link_statically("^(gRPC|absl)::|^(upb|address_sorting)$")
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(ZLIB REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_library(MUSTER_TCMALLOC libtcmalloc_minimal.a REQUIRED)

muster_add_pch(actors DEPS CAF::core protobuf::libprotobuf HEADERS
  <string> <vector> <memory> <functional> <unordered_map> <map> <variant>
  <expected> <caf/typed_actor.hpp> <caf/typed_event_based_actor.hpp>
  <caf/event_based_actor.hpp> <caf/stateful_actor.hpp> <caf/actor_system.hpp>
  <google/protobuf/message.h>)
muster_add_pch(net DEPS CAF::core Boost::headers Boost::json OpenSSL::SSL
  Threads::Threads protobuf::libprotobuf HEADERS
  <string> <vector> <memory> <functional> <unordered_map> <map> <variant>
  <expected> <caf/typed_actor.hpp> <caf/actor_companion.hpp>
  <caf/actor_system.hpp> <boost/asio.hpp> <boost/json.hpp>
  <google/protobuf/message.h>)
