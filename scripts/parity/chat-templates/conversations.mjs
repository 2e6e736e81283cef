// The conversations every template is given: roles, tools, calls, thoughts and texts that are hard on a renderer.

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Current weather at a place — \"now\".",
    parameters: {
      type: "object",
      properties: {
        place: { type: "string", description: "City & country" },
        unit: { type: "string", enum: ["celsius", "fahrenheit"], default: "celsius" },
        days: { type: "integer" },
      },
      required: ["place"],
    },
  },
};

const route = {
  type: "function",
  function: {
    name: "plan_route",
    description: "A route.",
    parameters: {
      type: "object",
      properties: {
        stops: { type: "array", items: { type: "object", properties: { x: { type: "number" }, y: { type: "number" } }, required: ["x", "y"] } },
        fast: { type: "boolean" },
      },
      required: ["stops"],
    },
    return: { type: "string" },
  },
};

const bare = { type: "function", function: { name: "now", description: "The time.", parameters: { type: "object", properties: {}, required: [] } } };

const system = { role: "system", content: "Be brief.\nNo tricks." };
const user = (content) => ({ role: "user", content });
const assistant = (content, more = {}) => ({ role: "assistant", content, ...more });
const call = (name, args, id) => ({ id, type: "function", function: { name, arguments: args } });
const tool = (content, name, tool_call_id) => ({ role: "tool", content, name, tool_call_id });

const object = { place: "Zürich <&> \"Altstadt\"", days: 3, unit: "celsius" };
const values = { stops: [{ x: 2, y: -0.5 }, { x: 1.25, y: 1e3 }], fast: true, none: null, text: "it's\n\ttab" };

export const conversations = [
  { name: "user", messages: [user("Hi?")], add_generation_prompt: true },
  { name: "user-assistant", messages: [user("Hi?"), assistant("Yes.")] },
  { name: "system", messages: [system, user("Hi?"), assistant("Yes."), user("Why?")], add_generation_prompt: true },
  { name: "many-turns", messages: [system, user("a"), assistant("b"), user("c"), assistant("d"), user("e"), assistant("f")] },
  { name: "white-space", messages: [user("  padded \n\n"), assistant("\n  indented\n\tline\u00a0 \n"), user(" "), assistant("x ")] },
  { name: "scripts", messages: [user("東京の天気は？ 😀👩‍👩‍👧 é مرحبا"), assistant("晴れ ☀️ Straße ﬁ"), user("{{ x }} {% y %} <|im_end|> </s>"), assistant("'\"\\ \\n")] },
  { name: "tools", messages: [user("Weather?")], tools: [weather, route, bare], add_generation_prompt: true },
  { name: "tools-system", messages: [system, user("Weather?"), assistant("Where?"), user("Zürich")], tools: [weather], add_generation_prompt: true },
  {
    name: "call", tools: [weather],
    messages: [user("Weather?"), assistant("", { tool_calls: [call("get_weather", object, "abcdefgh1")] }), tool("{\"t\": 21.5}", "get_weather", "abcdefgh1"), assistant("21.5 °C.")],
  },
  {
    name: "call-null-content", tools: [weather, route],
    messages: [system, user("Go."), assistant(null, { tool_calls: [call("plan_route", values, "abcdefgh2")] }), tool("ok", "plan_route", "abcdefgh2"), assistant("Done.")],
  },
  {
    // Numbers that JavaScript cannot hold; prepare.mjs puts them in.
    name: "numbers", tools: [weather, route],
    messages: [user("Go."), assistant("", { tool_calls: [call("plan_route", { stops: ["<1.0>", "<1e-7>", "<1e+22>", "<12345678901234567890>", "<-0.0>", "<1e16>"] }, "abcdefgh2")] }), tool("ok", "plan_route", "abcdefgh2")],
    add_generation_prompt: true,
  },
  {
    name: "call-no-content", tools: [weather],
    messages: [user("Weather?"), { role: "assistant", tool_calls: [call("get_weather", object, "abcdefgh1")] }, tool("21", "get_weather", "abcdefgh1")], add_generation_prompt: true,
  },
  {
    name: "call-text-arguments", tools: [weather],
    messages: [user("Weather?"), assistant("Let me see.", { tool_calls: [call("get_weather", JSON.stringify(object), "abcdefgh1")] }), tool("21", "get_weather", "abcdefgh1"), assistant("21.")],
  },
  {
    name: "parallel-calls", tools: [weather, bare],
    messages: [
      user("Both."), assistant("", { tool_calls: [call("get_weather", object, "abcdefgh1"), call("now", {}, "abcdefgh2")] }),
      tool("{\"t\": 21}", "get_weather", "abcdefgh1"), tool("12:00", "now", "abcdefgh2"), assistant("21 at noon."), user("And?"),
    ],
    add_generation_prompt: true,
  },
  {
    name: "chain-of-calls", tools: [weather, bare],
    messages: [
      user("Then."), assistant("", { tool_calls: [call("now", {}, "abcdefgh1")] }), tool("12:00", "now", "abcdefgh1"),
      assistant("", { tool_calls: [call("get_weather", object, "abcdefgh2")] }), tool("{\"t\": 21}", "get_weather", "abcdefgh2"), assistant("Warm."),
    ],
  },
  { name: "thought-in-content", messages: [user("1+1?"), assistant("<think>\nTwo.\n</think>\n\n2"), user("2+2?"), assistant("<think>\nFour.\n</think>\n\n4")] },
  { name: "reasoning-content", messages: [user("1+1?"), assistant("2", { reasoning_content: "Two." }), user("2+2?"), assistant("4", { reasoning_content: "Four." })] },
  { name: "no-thinking", messages: [user("1+1?")], add_generation_prompt: true, enable_thinking: false },
  { name: "thinking", messages: [system, user("1+1?")], add_generation_prompt: true, enable_thinking: true },
  { name: "two-users", messages: [user("a"), user("b"), assistant("c")] },
  { name: "assistant-first", messages: [system, assistant("Hello."), user("Hi.")], add_generation_prompt: true },
  { name: "parts", messages: [user([{ type: "text", text: "One." }, { type: "text", text: "Two." }]), assistant([{ type: "text", text: "Three." }])] },
  { name: "unknown-role", messages: [user("a"), { role: "critic", content: "b" }], add_generation_prompt: true },
];
