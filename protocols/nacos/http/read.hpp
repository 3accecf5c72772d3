#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "actors/core/base/text.hpp"
#include "actors/core/naming/view.hpp"
#include "protocols/common/params.hpp"
#include "protocols/nacos/codec/config_form.hpp"
#include "protocols/nacos/http/answers.hpp"
#include "protocols/nacos/http/parts.hpp"

/// From parameters to what handlers work with, with the refusals of each
/// version. Views are into the request. What is checked takes the rules from
/// the context's parts. Pure, any thread.
namespace muster::nacos {

/// Whether a parameter that is there but blank counts as missing.
enum class blanks : bool { count, missing };

/// The parameter's value, or the error that `missing` gives for its name.
template <class Missing>
or_error<std::string_view> need(const common::params& params,
                                std::string_view name, Missing missing,
                                blanks when = blanks::missing);

/// `true` in any letter case, and what v1 naming takes beside it: on, yes, 1,
/// y, t. Everything else is false.
bool truth(std::string_view text) noexcept;

/// Page number and size, both at least 1 (what is below counts as first page,
/// one row).
struct page {
  std::size_t number = 1;
  std::size_t size = 1;
};

/// Where a page begins and ends within `total` rows.
struct page_range {
  std::size_t begin = 0;
  std::size_t end = 0;
};
page_range range_of(const page& p, std::size_t total) noexcept;

// -- config -------------------------------------------------------------------

/// How a version's config APIs call their parameters and miss them.
struct config_names {
  std::string_view space;
  std::string_view group;
  family of;
  api_error (*missing)(std::string_view name);
  blanks when;
};
extern const config_names config_names_v1;
extern const config_names config_names_v2;
extern const config_names config_names_v3_client;

/// Namespace, group and dataId: parameter check first, then presence.
or_error<key_view> read_config_key(const common::context& c,
                                   const config_names& names);

/// The form of a publish, checked.
or_error<config_form> read_publish(const common::context& c, family of);

// -- naming -------------------------------------------------------------------

/// How a version's naming APIs read names.
enum class naming_names {
  v1,          ///< `serviceName` grouped or not; errors as text
  v2,          ///< the same; errors in envelopes
  v2_argument, ///< the same, missed as the framework misses them (GET, list)
  v2_grouped,  ///< so, and grouped only (PATCH, beat)
  v3,          ///< bare service name
};

/// Namespace, group and service, checked along with the request's clusters, ip
/// and port; views into the request. `missing` says what an absent service name
/// means.
template <class Missing>
or_error<key_view> read_service_view(const common::context& c, naming_names how,
                                     Missing missing);
/// The same with the usual error of that version's forms.
or_error<key_view> read_service_view(const common::context& c,
                                     naming_names how);

service_key to_key(const key_view& view);
/// `read_service_view`, owning its texts.
template <class... Missing>
or_error<service_key> read_service_key(const common::context& c,
                                       naming_names how, Missing... missing) {
  const auto view = read_service_view(c, how, missing...);
  if (!view)
    return refuse(view.error());
  return to_key(*view);
}

/// Where an instance is.
struct instance_place {
  std::string_view ip;
  std::uint16_t port = 0;
  std::string_view cluster;
};
or_error<instance_place> read_place(const http::request& request,
                                    naming_names how);

/// A whole instance, as registration and update send it, checked.
or_error<naming::instance> read_instance(const common::context& c,
                                         naming_names how);

/// Metadata of an instance; absent = empty.
or_error<naming::metadata_map> read_metadata(std::string_view text,
                                             wire_code code);

/// A number with or without fraction; `For input string: "x"` otherwise.
or_error<double> read_number(std::string_view text);

/// A weight within 0 and 10000.
or_error<double> read_weight(std::string_view text);

bool read_ephemeral(const http::request& request);

/// `clusterName`, or `cluster`; `DEFAULT` if blank.
std::string_view read_cluster(const common::params& params) noexcept;

// -- templates ----------------------------------------------------------------

template <class Missing>
or_error<std::string_view> need(const common::params& params,
                                std::string_view name, Missing missing,
                                blanks when) {
  const auto value = params.find(name);
  if (!value
      || (when == blanks::missing
          && value->find_first_not_of(" \t\r\n") == std::string_view::npos))
    return refuse(missing(name));
  return *value;
}

/// The part of `read_service_view` after the presence of the name is known.
or_error<key_view> service_view_of(const http::request& request,
                                   std::string_view name, naming_names how);
/// The parameter check of a naming request (nacos-http 1.8).
or_error<void> check_naming(const common::context& c, naming_names how);

template <class Missing>
or_error<key_view> read_service_view(const common::context& c, naming_names how,
                                     Missing missing) {
  if (auto fine = check_naming(c, how); !fine)
    return refuse(std::move(fine.error()));
  const auto name = need(c.request.params(), "serviceName", missing);
  if (!name)
    return refuse(name.error());
  return service_view_of(c.request, *name, how);
}

} // namespace muster::nacos
