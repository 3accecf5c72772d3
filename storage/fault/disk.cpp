#include "storage/fault/disk.hpp"

#include <algorithm>
#include <csignal>

namespace muster::storage::fault {
namespace {

namespace fs = std::filesystem;

std::string parent(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/'))
    path.pop_back();
  return path;
}

} // namespace

void disk::fail(disk_call call, std::uint64_t nth, disk_fault fault) {
  const std::lock_guard lock{mutex_};
  orders_[static_cast<std::size_t>(call)] = {nth, fault};
}

bool disk::waits(disk_call call) const {
  const std::lock_guard lock{mutex_};
  return orders_[static_cast<std::size_t>(call)].left > 0;
}

void disk::limit_space(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  space_ = bytes;
}

void disk::lift_limit() {
  const std::lock_guard lock{mutex_};
  space_.reset();
}

void disk::slow_syncs(std::chrono::milliseconds delay) {
  const std::lock_guard lock{mutex_};
  sync_delay_ = delay;
  quick_again_.notify_all();
}

std::uint64_t disk::calls(disk_call call) const {
  const std::lock_guard lock{mutex_};
  return counts_[static_cast<std::size_t>(call)];
}

refusal disk::enter(disk_call call, std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  const auto kind = static_cast<std::size_t>(call);
  ++counts_[kind];
  auto& ordered = orders_[kind];
  if (ordered.left > 0 && --ordered.left == 0) {
    if (ordered.fault == disk_fault::death)
      std::raise(SIGKILL);
    return ordered.fault;
  }
  if (!space_)
    return {};
  if (*space_ < bytes)
    return disk_fault::no_space;
  *space_ -= bytes;
  return {};
}

void disk::power_off(unsynced what, std::uint64_t seed) {
  const std::lock_guard lock{mutex_};
  off_ = true;
  std::mt19937_64 random{seed};
  for (const auto& [path, f] : names_) {
    if (what == unsynced::torn && f && !f->path().empty())
      f->tear(random);
  }
}

disk::file disk::create(const std::string& path) {
  const std::lock_guard lock{mutex_};
  auto made = std::make_shared<inode>();
  names_[path] = made;
  pending_.push_back({action::create, path, {}, made});
  return made;
}

disk::file disk::find_locked(const std::string& path) {
  if (const auto at = names_.find(path); at != names_.end())
    return at->second;
  std::error_code ec;
  if (!fs::is_regular_file(path, ec))
    return nullptr;
  return names_[path] = std::make_shared<inode>(path);
}

disk::file disk::find(const std::string& path) {
  const std::lock_guard lock{mutex_};
  return find_locked(path);
}

bool disk::exists(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (const auto at = names_.find(path); at != names_.end())
    return at->second != nullptr;
  std::error_code ec;
  return fs::exists(path, ec);
}

void disk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  auto f = find_locked(from);
  pending_.push_back({action::rename, to, from, f});
  names_[from] = nullptr;
  names_[to] = std::move(f);
}

void disk::remove(const std::string& path) {
  const std::lock_guard lock{mutex_};
  pending_.push_back({action::remove, path, {}, find_locked(path)});
  names_[path] = nullptr;
}

void disk::overlay(const std::string& directory,
                   std::vector<std::string>& names) {
  const std::lock_guard lock{mutex_};
  const auto wanted = without_slash(directory);
  for (const auto& [path, f] : names_) {
    if (parent(path) != wanted)
      continue;
    const auto name = fs::path(path).filename().string();
    std::erase(names, name);
    if (f)
      names.push_back(name);
  }
}

void disk::perform(const pending& p) {
  std::error_code ec;
  switch (p.what) {
    case action::create:
      p.subject->materialise(p.path);
      break;
    case action::rename:
      fs::rename(p.from, p.path, ec);
      p.subject->renamed(p.path);
      break;
    case action::remove:
      fs::remove(p.path, ec);
      p.subject->unlinked();
      break;
  }
}

void disk::sync_directory(const std::string& directory) {
  const std::lock_guard lock{mutex_};
  if (off_)
    return;
  const auto wanted = without_slash(directory);
  std::erase_if(pending_, [&](const pending& p) {
    if (parent(p.path) != wanted)
      return false;
    perform(p);
    return true;
  });
  // What is gone for good needs no note.
  std::erase_if(names_, [&](const auto& at) {
    return !at.second && parent(at.first) == wanted;
  });
}

void disk::write(inode& f, std::uint64_t offset, std::string_view bytes) {
  const std::lock_guard lock{mutex_};
  f.write(offset, bytes);
}

void disk::truncate(inode& f, std::uint64_t size) {
  const std::lock_guard lock{mutex_};
  f.truncate(size);
}

void disk::sync(inode& f) {
  std::unique_lock lock{mutex_};
  if (sync_delay_.count() > 0)
    quick_again_.wait_for(lock, sync_delay_,
                          [this] { return off_ || sync_delay_.count() == 0; });
  if (!off_)
    f.sync();
}

std::string disk::read(const inode& f, std::uint64_t offset,
                       std::size_t count) {
  const std::lock_guard lock{mutex_};
  return f.read(offset, count);
}

std::uint64_t disk::size(const inode& f) {
  const std::lock_guard lock{mutex_};
  return f.size();
}

} // namespace muster::storage::fault
