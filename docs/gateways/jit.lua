-- Forward-auth for HAProxy 2.6 or newer: asks jit about each call, see haproxy.cfg.
--
-- Sets txn.jit_status (503 where jit gave no answer) and txn.jit_challenge, and the headers
-- X-JIT-* that the API reads.

local HEADERS = {
    "X-JIT-Subject", "X-JIT-Client", "X-JIT-Actor", "X-JIT-Scope", "X-JIT-Grant", "X-JIT-Jti",
}
local URL = os.getenv("JIT_FORWARD_AUTH")
local RESOURCE = os.getenv("JIT_RESOURCE")
-- HAProxy 2.6 tries four times, so a jit that hangs holds a call for four times as long.
local TIMEOUT_MS = 1500

-- The values of a header, as the client for HTTP wants them; HAProxy counts from 0.
local function values(headers, name)
    local found = {}
    for at, value in pairs(headers[name] or {}) do
        found[at + 1] = value
    end
    return found
end

local function first(headers, name)
    local found = headers[string.lower(name)]
    return found and found[0] or ""
end

core.register_action("jit", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    local answer = core.httpclient():get({
        url = URL .. "?scope=" .. txn:get_var("txn.jit_scope") .. "&resource=" .. RESOURCE,
        headers = {
            ["authorization"] = values(sent, "authorization"), -- all of them: two are refused
            ["x-forwarded-for"] = { txn.sf:src() },
            ["x-forwarded-method"] = { txn.sf:method() },
            ["x-forwarded-uri"] = { txn.sf:path() },
        },
        timeout = TIMEOUT_MS,
    })
    local status = answer and answer.status or 503
    local told = answer and answer.headers or {}
    txn:set_var("txn.jit_status", status)
    txn:set_var("txn.jit_challenge", first(told, "WWW-Authenticate"))
    for _, name in ipairs(HEADERS) do
        txn.http:req_set_header(name, first(told, name))
    end
end)
