// Which names Kubernetes and AWS accept, and which labels a policy may not set on a Secret. The
// same rules as the CRD's.
//
// Facts: DNS-1123 names, Secret data keys and label syntax from the Kubernetes API conventions
// ("Object Names and IDs", "Labels and Selectors"); secret names from CreateSecret's Name plus the
// "!" of secrets that AWS services own; role ARNs from IAM.
//
// Thread rule: pure functions.
#pragma once

#include <string_view>

namespace keyturn::rotation {

bool is_dns_label(std::string_view text);      // a namespace
bool is_dns_subdomain(std::string_view text);  // a Secret's or a ServiceAccount's name
bool is_data_key(std::string_view text);       // a key of a Secret's data
bool is_label_key(std::string_view text);      // [prefix/]name, annotations too
bool is_label_value(std::string_view text);

// A secret's name, or the ARN of one (with or without its random ending).
bool is_secret_id(std::string_view text);
// The region in a secret's ARN; "" for a name.
std::string_view region_of_secret_id(std::string_view text);
bool is_region(std::string_view text);  // it becomes part of a host name
bool is_role_arn(std::string_view text);

// Labels and annotations of Keyturn, of Kubernetes, and of tools that act on what they find on a
// Secret: copying it to other namespaces, deleting it, restarting workloads, or taking it for their
// own. A tenant's policy must not reach those.
bool is_reserved_key(std::string_view label_or_annotation);

}  // namespace keyturn::rotation
