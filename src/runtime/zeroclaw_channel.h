// What a channel of zeroclaw is told and answers, as JSON: its exports channel_send and channel_listen. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cordon/messaging.h"
#include "cordon/result.h"

namespace cordon::runtime {

// {"recipient", "message", "content", "sender", "id"}: message and content are the same text. What
// zeroclaw_send_message made names its recipient; any other body is the message to nobody in particular.
std::string ToSend(const Message& message);

// Nothing, or E_GUEST with the channel's words for {"success": false, "error": …} and {"error": …}.
Status Sent(std::string_view answer);

// The bodies of what it heard: a list, the list `messages` of an object, or one of them; a text as it is, anything else
// as JSON. Nothing of an empty answer and of null. E_GUEST for what is an error.
Result<std::vector<std::string>> Heard(std::string_view answer);

}  // namespace cordon::runtime
