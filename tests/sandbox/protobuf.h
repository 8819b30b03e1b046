// Reads the protobuf bodies that kubectl's typed commands send (create secret, create token, auth
// can-i…): the few kinds of the table in protobuf.cpp, decoded into the JSON they stand for.
// Answers stay JSON, which those clients accept. Thread rule: pure functions.
#pragma once

#include <string>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

bool is_protobuf(const std::string& content_type);
// Throws ApiError 415 for a kind that is not known here, 400 for what is no protobuf.
Json parse_protobuf(const std::string& body);

}  // namespace keyturn::sandbox
