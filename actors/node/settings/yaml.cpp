#include <exception>

#include <yaml-cpp/yaml.h>

#include "actors/node/settings/source.hpp"

namespace muster::source {
namespace {

constexpr std::size_t entries_max = 20000;
constexpr int depth_max = 64;

/// Walks a document; throws `error` when a bound is hit (caught in this file).
class flattener {
public:
  explicit flattener(const std::string& name) : name_(name) {}

  void walk(const YAML::Node& node, const std::string& key, int line,
            int depth) {
    if (depth > depth_max)
      throw error{errc::invalid_argument, place(line) + ": nested too deeply"};
    switch (node.Type()) {
      case YAML::NodeType::Map:
        for (const auto& pair : node)
          walk(pair.second, join(key, pair.first.as<std::string>()),
               pair.first.Mark().line + 1, depth + 1);
        break;
      case YAML::NodeType::Sequence:
        walk_list(node, key, line, depth);
        break;
      case YAML::NodeType::Scalar:
        add(key, node.Scalar(), line);
        break;
      case YAML::NodeType::Null:
      case YAML::NodeType::Undefined:
        add(key, "", line);
    }
  }

  entries take() { return std::move(out_); }

private:
  static std::string join(const std::string& key, const std::string& next) {
    return key.empty() ? next : key + "." + next;
  }

  std::string place(int line) const {
    return name_ + ":" + std::to_string(line);
  }

  void add(const std::string& key, const std::string& value, int line) {
    if (key.empty())
      throw error{errc::invalid_argument,
                  place(line) + ": keys with values expected"};
    if (out_.size() == entries_max)
      throw error{errc::invalid_argument, place(line) + ": too many keys"};
    out_.push_back({key, value, place(line)});
  }

  void walk_list(const YAML::Node& node, const std::string& key, int line,
                 int depth) {
    std::string joined;
    std::size_t index = 0;
    for (const auto& item : node) {
      if (item.IsScalar())
        joined += (joined.empty() ? "" : ",") + item.Scalar();
      else
        walk(item, join(key, std::to_string(index)), item.Mark().line + 1,
             depth + 1);
      ++index;
    }
    if (!joined.empty() || index == 0)
      add(key, joined, line);
  }

  const std::string& name_;
  entries out_;
};

} // namespace

result<entries> parse_yaml(std::string_view text, const std::string& name) {
  try {
    const auto documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || (documents.size() == 1 && documents[0].IsNull()))
      return entries{};
    if (documents.size() > 1)
      return fail(errc::invalid_argument,
                  name + ": more than one YAML document");
    flattener walker(name);
    walker.walk(documents[0], "", 1, 0);
    return walker.take();
  } catch (const error& problem) {
    return std::unexpected(problem);
  } catch (const YAML::Exception& problem) {
    return fail(errc::invalid_argument,
                name + ":" + std::to_string(problem.mark.line + 1) + ": "
                  + problem.msg);
  } catch (const std::exception& problem) {
    return fail(errc::invalid_argument, name + ": " + problem.what());
  }
}

} // namespace muster::source
