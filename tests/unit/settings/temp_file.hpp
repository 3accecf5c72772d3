#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace muster::test {

/// A file that lives as long as this object.
class temp_file {
public:
  temp_file(const std::string& ending, const std::string& content)
    : path_(std::filesystem::temp_directory_path()
            / ("muster-settings-" + std::to_string(std::random_device{}())
               + ending)) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~temp_file() { std::filesystem::remove(path_); }
  temp_file(const temp_file&) = delete;

  std::string path() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

} // namespace muster::test
