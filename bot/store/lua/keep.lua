-- Stores a receipt and starts the job's lease anew, both or none.
--
-- KEYS  1 queue, 2 lease, 3 receipts, 4 snapshot; receipts are kept no longer than it is
-- ARGV  1 job, 2 fence, 3 lease in ms, 4 name, 5 receipt
-- Returns 1; 0 when the job is no longer the caller's.

local call = redis.call
local QUEUE, LEASE, RECEIPTS, SNAPSHOT = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, fence, lease_ms, name, receipt = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]

local held = call('HGET', LEASE, id)
if not held or string.match(held, '^(%d+):') ~= fence then return 0 end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
call('HDEL', LEASE, '')  -- as in claim.lua: a message that was posted must not be forgotten
call('HSET', RECEIPTS, name, receipt)
local left = call('PTTL', SNAPSHOT)
if left > 0 then call('PEXPIRE', RECEIPTS, left) end
call('ZADD', QUEUE, string.format('%.0f', now + lease_ms), id)
return 1
