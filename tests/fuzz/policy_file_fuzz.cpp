// Policy files for `keyturn validate`: any text gives documents or an error that names the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "controller/rotation/yaml_documents.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto documents = keyturn::rotation::yaml_documents(text, "p.yaml");
  if (!documents && !documents.error().message.starts_with("p.yaml:")) std::abort();
  return 0;
}
