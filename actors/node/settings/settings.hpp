#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/core/base/result.hpp"

/// What the operator can set, and where the values come from.
///
/// Names and defaults are Nacos' and Batata's where they have one; where Muster
/// chose another default the comment says so. keys.cpp has the one table that
/// ties a name to a member here. Nothing in this folder knows CAF.
namespace muster {

/// The cluster's port is the main port plus this, on every member.
inline constexpr std::uint16_t cluster_port_offset = 1001;

/// A value that must never reach a log or an error text: it has no printing
/// operators, and errors about its key hide it.
struct secret {
  std::string text;
};

/// All settings of a node. A plain value: made once by `load_settings`, then
/// read-only. Every value has been checked against its range.
struct settings {
  using seconds = std::chrono::seconds;
  using milliseconds = std::chrono::milliseconds;

  struct server_group {
    std::string address = "0.0.0.0"; ///< bind address of all doors
    std::string ip;                  ///< told to others; empty = `address`
    std::uint16_t port = 8848;       ///< HTTP; the others are offsets of it
    /// Empty (root) or "/x" without a slash at the end.
    std::string context_path = "/nacos";
    /// True: alone, whatever names members. Not set: in a cluster if anything
    /// names its members. Nacos' code default is false.
    std::optional<bool> standalone;
    /// SIGTERM to end. Batata's 30 s; Muster's own default is 5.
    seconds drain_timeout{5};
  } server;

  struct cluster_group {
    std::string member_list; ///< see parse_member_list
    std::string members_file = "conf/cluster.conf";
    /// Where the list comes from: `file` (the two above), `address-server` or
    /// `standalone` (nowhere).
    std::string lookup = "file";
    std::string address_server_domain = "jmenv.tbsite.net"; ///< Nacos' default
    std::uint16_t address_server_port = 8080;
    std::string address_server_url = "/nacos/serverlist";
    std::uint32_t address_server_tries = 5;
    /// True: nodes on other hosts are talked to without TLS.
    bool plaintext = false;
    /// PEM files of the TLS between nodes: all three or none.
    std::string tls_ca, tls_certificate, tls_key;
    /// Probes (one in 2 s) of a member that fail before it counts as down.
    std::uint32_t failures_max = 3;
    /// A member that is silent for so long gives its votes to others, if there
    /// are enough; 0 = never.
    seconds replace_after{1800};
    std::string datacenter, region, zone; ///< of this node

    bool has_tls() const noexcept { return !tls_ca.empty(); }
  } cluster;

  struct http_group {
    std::uint32_t workers = 0;        ///< io threads; 0 = one per core
    seconds keep_alive{75};           ///< idle time of a connection
    seconds request_timeout{60};      ///< until a request is read completely
    seconds head_timeout{10};         ///< until a request's head is read
    std::uint64_t head_bytes_max = 65536;
    /// Largest body of any route; what takes contents takes this much. Above
    /// config.content_bytes_max, since a form can grow three times by
    /// percent-encoding.
    std::uint64_t body_bytes_max = 33554432;
    std::uint32_t connections_max = 50000;
  } http;

  struct grpc_group {
    std::string address;              ///< bind; empty = server.address
    std::uint16_t port_offset = 1000; ///< SDK port = server.port + this
    std::uint64_t inbound_bytes_max = 10485760;
    milliseconds keep_alive_time{7200000};
    milliseconds keep_alive_timeout{20000};
    /// A client that pings more often is sent away (GOAWAY); 0 = it may. Nacos'
    /// 300,000; Muster's own default is 0: a ping costs next to nothing, and
    /// some clients send them each minute.
    milliseconds permit_keep_alive_time{0};
    /// Streams of clients. Batata's 10,000; Muster's own default is 50,000.
    std::uint32_t connections_max = 50000;
    /// A stream whose client reads nothing for this long is cut off. Batata's
    /// 5 s, tried five times; Muster's own default is 30 s.
    milliseconds push_timeout{30000};
    /// Pushes that wait for a slow client, per stream. Batata's 128; Muster's
    /// own default is 1024, for clients that subscribe to much at once.
    std::uint32_t push_queue_max = 1024;
    /// A connection from which nothing came for this long is probed. Batata's
    /// 60 s; Muster's own default is Nacos' 20 s.
    milliseconds connection_stale{20000};
  } grpc;

  struct naming_group {
    bool expire_instances = true;     ///< delete after heart-beat loss
    /// Changes of one service are merged for this long before they are pushed.
    /// Nacos' 500; Muster's own default is 50.
    milliseconds push_delay{50};
    bool empty_service_auto_clean = true; ///< false: existing services stay
    milliseconds empty_service_expire{60000};
    /// A client of heart-beats that is silent for so long goes with all it
    /// registered, whatever `expire_instances` and its metadata say.
    milliseconds client_expire{180000};
    std::uint32_t metadata_chars_max = 1024;
    std::uint32_t fuzzy_patterns_max = 20;
    std::uint32_t fuzzy_matches_max = 500;
  } naming;

  struct config_group {
    std::uint64_t content_bytes_max = 10485760;
    std::uint32_t retention_days = 30;  ///< of the history
    std::uint32_t gray_versions_max = 10;
    /// Pushes of a change that a client leaves unanswered before it is cut off;
    /// 0 = any number.
    std::uint32_t push_retries_max = 50;
    std::uint32_t fuzzy_patterns_max = 20;
    std::uint32_t fuzzy_matches_max = 500;
  } config;

  struct storage_group {
    std::string data_dir = "./data";
    /// Config partitions, fixed when the data directory is first used.
    std::uint32_t partitions = 16;
    std::uint32_t state_workers = 2;
    /// Bound of the config snapshots kept for readers.
    std::uint64_t config_cache_bytes = 134217728;
    std::uint64_t block_cache_bytes = 33554432;
    std::uint64_t write_buffer_bytes = 16777216;
    /// Log entries of a partition after which its log is compacted. Batata's
    /// 10,000; Muster's own default is 50,000.
    std::uint64_t snapshot_threshold = 50000;
  } storage;

  struct log_group {
    std::string level = "info"; ///< trace debug info warn error off
    std::string format = "plain"; ///< plain or json
    std::string file;           ///< beside stderr; empty = none
  } log;

  struct auth_group {
    bool enabled = false;
    /// Nacos' defaults of these two are true. There are no accounts yet, and a
    /// switch that is on refuses everybody: false until there are.
    bool admin_enabled = false;
    bool console_enabled = false;
    std::string system_type = "nacos";
    std::string identity_key;
    secret identity_value;
    secret token_secret;      ///< base64
    seconds token_expire{18000};
  } auth;

  /// The old doors; all stay open unless set false.
  struct compatibility_group {
    bool client = true;
    bool admin = true;
    bool console = true;
  } compatibility;

  struct check_group {
    bool parameters = true;           ///< core.param.check.enabled
    bool namespaces = false;          ///< refuse unknown ones on register
  } check;

  std::uint16_t sdk_port() const noexcept {
    return static_cast<std::uint16_t>(server.port + grpc.port_offset);
  }
  std::uint16_t cluster_port() const noexcept {
    return static_cast<std::uint16_t>(server.port + cluster_port_offset);
  }
  const std::string& grpc_address() const noexcept {
    return grpc.address.empty() ? server.address : grpc.address;
  }
};

/// Name and value of every variable of the process.
using process_environment = std::vector<std::pair<std::string, std::string>>;

/// Copies a null-terminated `environ`.
process_environment read_environment(char** variables);

/// What the command line asks for.
enum class start_mode : std::uint8_t {
  serve,        ///< run the server
  check_config, ///< `--check-config`: say what is wrong, then end
  print,        ///< `--help`, `--version`: print `text`, then end
};

/// Settings and what there is to say about them.
struct loaded_settings {
  start_mode mode = start_mode::serve;
  settings values;
  /// One sentence each, with key and place: unknown keys, keys that have no
  /// effect yet. For the log, once it is set up.
  std::vector<std::string> warnings;
  /// The file that was read; empty = none.
  std::string file;
  /// What `print` and `check_config` print, with its newline.
  std::string text;
};

/// Exit code of the process when settings are wrong.
inline constexpr int settings_exit_code = 2;

/// Reads flags, environment and file, highest first: `--a.b=c` and `-Da.b=c`,
/// flags, environment, the file of `--config` (else conf/application.yml, else
/// conf/application.properties of the working directory, if there), defaults.
/// Error: `invalid_argument`; the message has one line for each wrong value,
/// with key, value, file and line. Reads files, changes nothing.
result<loaded_settings> load_settings(int argc, const char* const* argv,
                                      const process_environment& variables);

} // namespace muster
