#include "tests/sandbox/protobuf.h"

#include <cstdint>
#include <map>
#include <string_view>

#include "lib/base/text.h"
#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

enum class Type { Text, Number, Flag, Message, TextMap, BytesMap };

struct Field {
  const char* name;
  Type type = Type::Text;
  const char* message = "";
  bool repeated = false;
};
using Message = std::map<std::uint32_t, Field>;

// Field numbers as in the generated.proto files of Kubernetes.
const std::map<std::string_view, Message>& messages() {
  static const std::map<std::string_view, Message> kMessages = {
      {"ObjectMeta",
       {{1, {"name"}},
        {2, {"generateName"}},
        {3, {"namespace"}},
        {5, {"uid"}},
        {6, {"resourceVersion"}},
        {11, {"labels", Type::TextMap}},
        {12, {"annotations", Type::TextMap}},
        {13, {"ownerReferences", Type::Message, "OwnerReference", true}},
        {14, {"finalizers", Type::Text, "", true}}}},
      {"OwnerReference",
       {{1, {"kind"}},
        {3, {"name"}},
        {4, {"uid"}},
        {5, {"apiVersion"}},
        {6, {"controller", Type::Flag}},
        {7, {"blockOwnerDeletion", Type::Flag}}}},
      {"Namespace", {{1, {"metadata", Type::Message, "ObjectMeta"}}}},
      {"Secret",
       {{1, {"metadata", Type::Message, "ObjectMeta"}},
        {2, {"data", Type::BytesMap}},
        {3, {"type"}},
        {4, {"stringData", Type::TextMap}},
        {5, {"immutable", Type::Flag}}}},
      {"ConfigMap",
       {{1, {"metadata", Type::Message, "ObjectMeta"}},
        {2, {"data", Type::TextMap}},
        {3, {"binaryData", Type::BytesMap}},
        {4, {"immutable", Type::Flag}}}},
      {"ServiceAccount",
       {{1, {"metadata", Type::Message, "ObjectMeta"}},
        {4, {"automountServiceAccountToken", Type::Flag}}}},
      {"TokenRequest",
       {{1, {"metadata", Type::Message, "ObjectMeta"}},
        {2, {"spec", Type::Message, "TokenRequestSpec"}}}},
      {"TokenRequestSpec",
       {{1, {"audiences", Type::Text, "", true}}, {4, {"expirationSeconds", Type::Number}}}},
      {"SelfSubjectAccessReview",
       {{1, {"metadata", Type::Message, "ObjectMeta"}},
        {2, {"spec", Type::Message, "SelfSubjectAccessReviewSpec"}}}},
      {"SelfSubjectAccessReviewSpec",
       {{1, {"resourceAttributes", Type::Message, "ResourceAttributes"}}}},
      {"ResourceAttributes",
       {{1, {"namespace"}},
        {2, {"verb"}},
        {3, {"group"}},
        {4, {"version"}},
        {5, {"resource"}},
        {6, {"subresource"}},
        {7, {"name"}}}},
      {"DeleteOptions",
       {{1, {"gracePeriodSeconds", Type::Number}},
        {2, {"preconditions", Type::Message, "Preconditions"}},
        {3, {"orphanDependents", Type::Flag}},
        {4, {"propagationPolicy"}},
        {5, {"dryRun", Type::Text, "", true}}}},
      {"Preconditions", {{1, {"uid"}}, {2, {"resourceVersion"}}}},
      {"Unknown",
       {{1, {"typeMeta", Type::Message, "TypeMeta"}},
        {2, {"raw", Type::Text}},
        {4, {"contentType"}}}},
      {"TypeMeta", {{1, {"apiVersion"}}, {2, {"kind"}}}},
  };
  return kMessages;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }

  std::uint64_t varint() {
    std::uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      out |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return out;
    }
    throw bad_request("protobuf: endless number");
  }
  std::string_view block() { return take(varint()); }
  void skip(std::uint64_t wire) {
    if (wire == 0) {
      varint();
    } else if (wire == 2) {
      block();
    } else {
      take(wire == 1 ? 8 : 4);
    }
  }

 private:
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) throw bad_request("protobuf: cut short");
    const std::string_view out = bytes_.substr(0, static_cast<std::size_t>(count));
    bytes_.remove_prefix(static_cast<std::size_t>(count));
    return out;
  }
  std::string_view bytes_;
};

void read_entry(std::string_view block, bool bytes, Json& out) {
  std::string key, value;
  for (Reader reader(block); !reader.done();) {
    const std::uint64_t tag = reader.varint();
    if (tag == 0x0A) {
      key = reader.block();
    } else if (tag == 0x12) {
      value = reader.block();
    } else {
      reader.skip(tag & 7U);
    }
  }
  out[key] = bytes ? base64(value) : value;
}

Json read_message(std::string_view block, const Message& message) {
  Json out = Json::object();
  for (Reader reader(block); !reader.done();) {
    const std::uint64_t tag = reader.varint();
    const auto found = message.find(static_cast<std::uint32_t>(tag >> 3U));
    if (found == message.end()) {
      reader.skip(tag & 7U);
      continue;
    }
    const Field& field = found->second;
    Json value;
    switch (field.type) {
      case Type::Number:
        value = static_cast<std::int64_t>(reader.varint());
        break;
      case Type::Flag:
        value = reader.varint() != 0;
        break;
      case Type::Text:
        value = std::string(reader.block());
        break;
      case Type::Message:
        value = read_message(reader.block(), messages().at(field.message));
        break;
      case Type::TextMap:
        read_entry(reader.block(), false, out[field.name]);
        continue;
      case Type::BytesMap:
        read_entry(reader.block(), true, out[field.name]);
        continue;
    }
    // proto2 writes empty strings that JSON leaves out.
    if (value == "") continue;
    if (field.repeated) {
      out[field.name].push_back(std::move(value));
    } else {
      out[field.name] = std::move(value);
    }
  }
  return out;
}

}  // namespace

bool is_protobuf(const std::string& content_type) {
  return content_type.starts_with("application/vnd.kubernetes.protobuf");
}

Json parse_protobuf(const std::string& body) {
  static constexpr std::string_view kMagic("k8s\0", 4);
  if (!body.starts_with(kMagic)) throw bad_request("protobuf: the k8s envelope is missing");
  const Json envelope =
      read_message(std::string_view(body).substr(kMagic.size()), messages().at("Unknown"));
  const std::string kind = text_at(envelope, "typeMeta", "kind");
  const auto known = messages().find(kind);
  const bool top_level = known != messages().end() &&
                         (known->second.contains(1) && kind != "TypeMeta" && kind != "Unknown");
  if (!top_level) {
    throw ApiError(
        415, "UnsupportedMediaType",
        "the sandbox does not read protobuf bodies of kind " + printable(kind) +
            "; send JSON or YAML, for example with kubectl apply -f or kubectl create -f");
  }
  Json out = read_message(text_at(envelope, "raw"), known->second);
  out["apiVersion"] = text_at(envelope, "typeMeta", "apiVersion");
  out["kind"] = kind;
  return out;
}

}  // namespace keyturn::sandbox
