-- Starts a lease anew.
--
-- KEYS  1 queue, 2 lease
-- ARGV  1 job, 2 fence, 3 lease in ms
-- Returns 1; 0 when the job is no longer the caller's.

local call = redis.call
local QUEUE, LEASE = KEYS[1], KEYS[2]
local id, fence, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])

local held = call('HGET', LEASE, id)
if not held or string.match(held, '^(%d+):') ~= fence then return 0 end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
call('HDEL', LEASE, '')  -- as in claim.lua: works when memory is full
call('ZADD', QUEUE, string.format('%.0f', now + lease_ms), id)
return 1
