// For tests: the authority that is asked for and granted word by word.
#pragma once

#include <initializer_list>
#include <vector>

#include "policy/authority.h"

namespace cordon::policy {

// REQUIRES: each text is a grant that level default takes.
inline Authority AuthorityOf(std::initializer_list<const char*> texts) {
  std::vector<Request> requests;
  std::vector<Grant> grants;
  for (const char* text : texts) {
    Grant grant = *Grant::Parse(text);
    requests.push_back({grant.capability, Need::kOptional, "", {}});
    grants.push_back(std::move(grant));
  }
  return *Authority::Evaluate(requests, grants, Ceiling::Default(), LinkMode::kLenient);
}

}  // namespace cordon::policy
