#include "tests/sandbox/object_store.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace keyturn::sandbox {

Object::Object(std::string object_ns, std::string object_name, Json doc)
    : ns(std::move(object_ns)),
      name(std::move(object_name)),
      uid(text_at(doc, "metadata", "uid")),
      doc_(std::move(doc)) {}

const std::string& Object::text() const {
  std::call_once(text_once_, [this] { text_ = doc_.dump(); });
  return text_;
}

const std::string& Object::metadata_text() const {
  std::call_once(metadata_once_, [this] {
    metadata_text_ =
        R"({"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":)" +
        at(doc_, "metadata").dump() + "}";
  });
  return metadata_text_;
}

WatchSignal::WatchSignal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
WatchSignal::~WatchSignal() { ::close(fd_); }

void WatchSignal::raise() {
  if (raised_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void WatchSignal::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
  raised_ = false;
}

ObjectStore::ObjectStore(std::size_t history_limit) : history_limit_(history_limit) {}

std::string ObjectStore::key_of(const std::string& ns, const std::string& name) {
  return ns.empty() ? name : ns + "/" + name;
}

ObjectPtr ObjectStore::get(const std::string& resource, const std::string& ns,
                           const std::string& name) const {
  const std::shared_lock lock(mutex_);
  const auto table = tables_.find(resource);
  if (table == tables_.end()) return nullptr;
  const auto found = table->second.objects.find(key_of(ns, name));
  return found == table->second.objects.end() ? nullptr : found->second;
}

ObjectPtr ObjectStore::put(const std::string& resource, const ObjectPtr& expected,
                           const std::string& ns, const std::string& name, Json doc) {
  auto object = std::make_shared<Object>(ns, name, std::move(doc));
  StoreEvent event;
  {
    const std::unique_lock lock(mutex_);
    Table& table = tables_[resource];
    ObjectPtr& slot = table.objects[key_of(ns, name)];
    if (slot != expected) {
      if (!slot) table.objects.erase(key_of(ns, name));
      return nullptr;
    }
    object->revision_ = ++revision_;
    object->doc_["metadata"]["resourceVersion"] = std::to_string(revision_);
    if (expected) index(resource, expected, false);
    slot = object;
    index(resource, object, true);
    event = {revision_, expected ? EventType::Modified : EventType::Added, object, expected};
    record(table, event);
  }
  if (hook_) hook_(resource, event);
  return object;
}

ObjectPtr ObjectStore::remove(const std::string& resource, const ObjectPtr& expected) {
  auto last = std::make_shared<Object>(expected->ns, expected->name, expected->doc());
  StoreEvent event;
  {
    const std::unique_lock lock(mutex_);
    Table& table = tables_[resource];
    const auto found = table.objects.find(key_of(expected->ns, expected->name));
    if (found == table.objects.end() || found->second != expected) return nullptr;
    last->revision_ = ++revision_;
    last->doc_["metadata"]["resourceVersion"] = std::to_string(revision_);
    index(resource, expected, false);
    table.objects.erase(found);
    event = {revision_, EventType::Deleted, last, expected};
    record(table, event);
  }
  if (hook_) hook_(resource, event);
  return last;
}

void ObjectStore::record(Table& table, StoreEvent event) {
  table.history.push_back(std::move(event));
  while (table.history.size() > history_limit_) {
    table.compacted = table.history.front().revision;
    table.history.pop_front();
  }
  for (const auto& signal : table.signals) signal->raise();
}

void ObjectStore::index(const std::string& resource, const ObjectPtr& object, bool add) {
  if (!object->uid.empty()) {
    if (add) {
      uids_[object->uid] = object->ns;
    } else {
      uids_.erase(object->uid);
    }
  }
  for (const Json& owner : at(object->doc(), "metadata", "ownerReferences")) {
    const std::string owner_uid = text_at(owner, "uid");
    const std::string key = resource + "/" + key_of(object->ns, object->name);
    if (add) {
      owned_[owner_uid][key] = {resource, object->ns, object->name};
    } else if (const auto found = owned_.find(owner_uid); found != owned_.end()) {
      found->second.erase(key);
      if (found->second.empty()) owned_.erase(found);
    }
  }
}

std::optional<ObjectStore::Page> ObjectStore::list(const std::string& resource,
                                                   const std::string& ns,
                                                   const std::string& after_key, std::size_t limit,
                                                   std::optional<std::uint64_t> revision) const {
  Page page;
  const std::shared_lock lock(mutex_);
  page.revision = revision.value_or(revision_);
  if (page.revision < compacted_) return std::nullopt;
  const auto found = tables_.find(resource);
  if (found == tables_.end()) return page;
  const Table& table = found->second;
  const std::string prefix = ns.empty() ? "" : ns + "/";
  const std::string from = std::max(prefix, after_key);
  const auto wanted = [&](const std::string& key) {
    return key > after_key && key.compare(0, prefix.size(), prefix) == 0;
  };
  // Undo, newest first, what was written after the asked revision.
  std::map<std::string, ObjectPtr> past;
  if (revision && *revision < revision_) {
    if (*revision < table.compacted) return std::nullopt;
    for (auto event = table.history.rbegin(); event != table.history.rend(); ++event) {
      if (event->revision <= *revision) break;
      const std::string key = key_of(event->object->ns, event->object->name);
      if (wanted(key)) past[key] = event->previous;
    }
  }
  auto undone = past.begin();
  auto current = table.objects.lower_bound(from);
  while (current != table.objects.end() || undone != past.end()) {
    const bool use_past =
        undone != past.end() && (current == table.objects.end() || undone->first <= current->first);
    const auto& [key, object] = use_past ? *undone : *current;
    if (!use_past && key.compare(0, prefix.size(), prefix) != 0) {
      current = table.objects.end();
      continue;
    }
    if (object && wanted(key)) {
      if (limit != 0 && page.objects.size() == limit) {
        page.more = true;
        ++page.remaining;
      } else {
        page.objects.push_back(object);
        page.last_key = key;
      }
    }
    if (current != table.objects.end() && current->first == key) ++current;
    if (use_past) ++undone;
  }
  return page;
}

std::optional<std::vector<StoreEvent>> ObjectStore::events_after(const std::string& resource,
                                                                 std::uint64_t revision,
                                                                 std::size_t max) const {
  const std::shared_lock lock(mutex_);
  if (revision < compacted_) return std::nullopt;
  const auto found = tables_.find(resource);
  if (found == tables_.end()) return std::vector<StoreEvent>();
  const Table& table = found->second;
  if (revision < table.compacted) return std::nullopt;
  auto first =
      std::upper_bound(table.history.begin(), table.history.end(), revision,
                       [](std::uint64_t r, const StoreEvent& e) { return r < e.revision; });
  std::vector<StoreEvent> out;
  for (; first != table.history.end() && out.size() < max; ++first) out.push_back(*first);
  return out;
}

void ObjectStore::watch(const std::string& resource, const std::shared_ptr<WatchSignal>& signal) {
  const std::unique_lock lock(mutex_);
  tables_[resource].signals.insert(signal);
}

void ObjectStore::unwatch(const std::string& resource, const std::shared_ptr<WatchSignal>& signal) {
  const std::unique_lock lock(mutex_);
  tables_[resource].signals.erase(signal);
}

void ObjectStore::wake_all() {
  const std::shared_lock lock(mutex_);
  for (const auto& [resource, table] : tables_) {
    for (const auto& signal : table.signals) signal->raise();
  }
}

std::uint64_t ObjectStore::revision() const {
  const std::shared_lock lock(mutex_);
  return revision_;
}

void ObjectStore::compact() {
  const std::unique_lock lock(mutex_);
  compacted_ = revision_;
  for (auto& [resource, table] : tables_) table.history.clear();
}

bool ObjectStore::alive(const std::string& uid, std::string* ns) const {
  const std::shared_lock lock(mutex_);
  const auto found = uids_.find(uid);
  if (found == uids_.end()) return false;
  if (ns) *ns = found->second;
  return true;
}

std::vector<ObjectStore::Ref> ObjectStore::dependents(const std::string& owner_uid) const {
  const std::shared_lock lock(mutex_);
  std::vector<Ref> out;
  const auto found = owned_.find(owner_uid);
  if (found == owned_.end()) return out;
  for (const auto& [key, ref] : found->second) out.push_back(ref);
  return out;
}

std::vector<ObjectStore::Ref> ObjectStore::in_namespace(const std::string& ns) const {
  const std::shared_lock lock(mutex_);
  std::vector<Ref> out;
  const std::string prefix = ns + "/";
  for (const auto& [resource, table] : tables_) {
    for (auto it = table.objects.lower_bound(prefix);
         it != table.objects.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
      out.push_back({resource, it->second->ns, it->second->name});
    }
  }
  return out;
}

std::size_t ObjectStore::count(const std::string& resource) const {
  const std::shared_lock lock(mutex_);
  const auto found = tables_.find(resource);
  return found == tables_.end() ? 0 : found->second.objects.size();
}

void ObjectStore::on_commit(std::function<void(const std::string&, const StoreEvent&)> hook) {
  hook_ = std::move(hook);
}

}  // namespace keyturn::sandbox
