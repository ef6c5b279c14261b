-- Forward-auth for Apache 2.4 with mod_lua: asks jit about each call, see apache.conf.

local http = require "socket.http"
local ltn12 = require "ltn12"

local URL = "http://127.0.0.1:3000/forward-auth"
local HEADERS = {
    "X-JIT-Subject", "X-JIT-Client", "X-JIT-Actor", "X-JIT-Scope", "X-JIT-Grant", "X-JIT-Jti",
}
local TIMEOUT_S = 5
-- A proxy of the environment would be told the token.
http.PROXY = nil

local function ask(r)
    http.TIMEOUT = TIMEOUT_S
    local scope = r.subprocess_env["JIT_SCOPE"] or ""
    local resource = r.subprocess_env["JIT_RESOURCE"] or ""
    local _, status, told = http.request({
        url = URL .. "?scope=" .. scope .. "&resource=" .. resource,
        redirect = false,
        sink = ltn12.sink.null(),
        headers = {
            ["Authorization"] = r.headers_in["Authorization"], -- two are joined, and refused
            ["X-Forwarded-For"] = r.useragent_ip,
            ["X-Forwarded-Method"] = r.method,
            ["X-Forwarded-Uri"] = r.uri,
        },
    })
    return status, told or {}
end

function check(r)
    local status, told = ask(r)
    for _, name in ipairs(HEADERS) do
        -- A caller sets none of these, nor what programs behind CGI take for them.
        r.headers_in[(name:gsub("-", "_"))] = nil
        r.headers_in[name] = told[name:lower()] or ""
    end
    -- What is no HTTP at all is taken for a 200 by this client; a yes of jit names its token.
    if status == 200 and (told["x-jit-jti"] or "") ~= "" then
        return apache2.OK
    end
    if status == 401 or status == 403 then
        r.err_headers_out["WWW-Authenticate"] = told["www-authenticate"] or ""
        return status
    end
    return 503
end
