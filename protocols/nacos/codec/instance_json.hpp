#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "actors/core/base/result.hpp"
#include "actors/core/naming/view.hpp"
#include "protocols/common/json_out.hpp"

/// Instance and ServiceInfo as JSON, the same members over HTTP and gRPC.
/// Pure functions, any thread. Source: nacos-http 3.7, nacos-grpc 7.3, 7.4.
namespace muster::nacos {

/// How a list of hosts is spelled.
struct list_form {
  /// The list's `name`: `group@@service` (HTTP) or the bare service (gRPC).
  bool grouped_name = true;
  /// Adds `valid` (= healthy) to each host, which clients of 1.x read.
  bool with_valid = false;
};

/// As v1 lists are answered, and pushed over UDP.
inline constexpr list_form list_form_v1{true, true};

/// One instance. `grouped` is the service's wire name. `show_healthy`: the
/// protection threshold fired, all are shown as healthy.
void write_instance(common::json_out& out, const naming::instance& instance,
                    std::string_view grouped, bool show_healthy,
                    bool with_valid = false);

/// ServiceInfo: the hosts that `wanted` selects, `clusters` echoed as sent.
void write_service_info(common::json_out& out, const naming::service_view& view,
                        const naming::selection& wanted, const list_form& form);

/// ServiceInfo of a service that nobody knows: no hosts, `lastRefTime` = now.
void write_empty_service_info(common::json_out& out, const key_view& key,
                              std::string_view clusters, std::uint64_t now_ms,
                              const list_form& form);

/// The texts of a map as a JSON object.
void write_metadata(common::json_out& out,
                    const naming::metadata_map& metadata);

/// Metadata as clients send it in a parameter: a JSON object of texts (numbers
/// and booleans become texts, null members are dropped) or `a=b,c=d`; blank and
/// `None` (early Python) = none. `invalid_argument`: `metadata format
/// incorrect:<text>`. (nacos-http 3.1, 10.1)
result<naming::metadata_map> parse_metadata(std::string_view text);

/// An instance from its JSON object (gRPC's `instance`, HTTP's `beat`): unknown
/// members are ignored, absent or null ones keep their defaults; the cluster
/// may be called `clusterName` or `cluster`. A missing or blank cluster becomes
/// `DEFAULT`. Not checked further (see names.hpp); `instance_id` stays empty if
/// none was sent. `invalid_argument` if a member has another type.
result<naming::instance> parse_instance(const boost::json::object& object);

/// `ip#port#cluster#group@@service`; the number of a snowflake generator is not
/// offered: metadata `preserved.instance.id.generator` is only passed on.
std::string make_instance_id(const naming::instance& instance,
                             std::string_view grouped);

} // namespace muster::nacos
