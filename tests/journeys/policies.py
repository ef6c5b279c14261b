"""The policies of the journeys: times short enough to wait for."""

from hashlib import sha256

SECRET = "correct horse"
OTHER_SECRET = "battery staple"

_BUNDLES = """\
version: 1
bundles:
  read:
    title: Read billing
    scopes:
      invoices:read: Read invoices
      refunds:read: Read refunds
      customers:read: See customers
    resource: https://billing.example
    environment: production
    access: read
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  refund:
    title: Refund customers
    scopes: [refunds:write]
    resource: https://billing.example
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    reason_min: 20
    ticket: {pattern: "BILL-[0-9]+", example: BILL-7}
  hasty:
    title: Decide quickly
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  crowded:
    title: Ask everybody
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  logs:
    title: Read logs
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  five:
    title: Do five things
    scopes: # of which few are used
      - invoices:read
      - refunds:read
      - refunds:write # why was that?
      - customers:read
      - customers:export
    resource: https://billing.example
    environment: staging
    access: write
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  idle:
    title: Read and forget
    scopes: [invoices:read]
    resource: https://billing.example
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    idle_end: 3s
  never:
    title: Read everything
    scopes: [everything:read]
    environment: production
    access: read
    risk: high
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  pair:
    title: Deploy in a pair
    scopes: [ci:deploy]
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#deploy-approvals"
    max_duration: 1h
    default_duration: 30m
  staged:
    title: Export customers
    scopes: [customers:export]
    environment: production
    access: read
    risk: critical
    owner: security
    channel: "#security-approvals"
    max_duration: 1h
    default_duration: 30m
  vault:
    title: Open the vault
    scopes: [vault:read]
    resource: https://billing.example
    environment: production
    access: read
    risk: high
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    delivery: reveal
  careful:
    title: Deploy with care
    scopes: [ci:deploy]
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  lonely:
    title: Wait for nobody
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  mend:
    title: Mend an order
    scopes: [orders:write]
    resource: https://billing.example
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    ticket:
      {pattern: "[A-Z]+-[0-9]+", example: BILL-7, tracker: url, project: [BILL], assigned: true}
    on_tracker_down: ask
    end_with_ticket: true
  hidden:
    title: Work in hiding
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#hidden"
    max_duration: 1h
    default_duration: 30m
  roused:
    title: Restart at night
    scopes: [k8s:restart]
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  managed:
    title: Work late
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  alarm:
    title: Repair production
    scopes: [ci:deploy, logs:read]
    resource: https://billing.example
    environment: production
    access: write
    risk: critical
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    delivery: message
    ticket: {pattern: "INC-[0-9]+", example: INC-7}
    break_glass:
      who: [leads]
      max_duration: 15m
      notify: ["#general"]
      review_by: [security, leads]
      review_within: 24h
  urgent:
    title: Repair at once
    scopes: [ci:deploy]
    environment: production
    access: write
    risk: high
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    break_glass:
      who: [leads]
      max_duration: 15m
      reason_min: 1
      notify: ["#hidden", "#general"]
      review_by: [security]
      review_within: 4s
  sealed:
    title: Repair what is sealed
    scopes: [ci:deploy]
    environment: production
    access: write
    risk: critical
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    break_glass:
      who: [leads]
      max_duration: 15m
      notify: ["#general"]
      review_by: [security]
      review_within: 24h
  personal:
    title: Read personal records
    scopes: [people:read]
    environment: production
    access: read
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    delegation: false
  brief:
    title: Read in short pieces
    scopes: [pieces:read]
    resource: https://brief.example
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  spare:
    title: Repair a spare
    scopes: [spares:write]
    resource: https://billing.example
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    starts: reveal
  safe:
    title: Open the safe
    scopes: [safe:read]
    resource: https://billing.example
    environment: production
    access: read
    risk: high
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    starts: reveal
    claim_within: 30m
  fleeting:
    title: Be quick
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    starts: reveal
    claim_within: 2s
  planned:
    title: Plan a move
    scopes: [moves:write]
    resource: https://billing.example
    environment: production
    access: write
    risk: medium
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
    start_within: 7d
  sized:
    title: Read in size
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#access-requests"
    max_duration: 1h
    default_duration: 30m
  partners:
    title: Work with partners
    scopes: [logs:read]
    environment: staging
    access: read
    risk: low
    owner: security
    channel: "#partners"
    max_duration: 1h
    default_duration: 30m
"""

_GROUPS = """\
version: 1
groups:
  engineers: {usergroup: S0ENGINEERS}
  security: {usergroup: S0SECURITY}
  crowd: {usergroup: S0CROWD}
  leads: {users: [U0BEN, U0CLEO, U0DAN]}
  oncall: {users: [U0DAN]}
  anna: {users: [U0ANNA]}
  sre-oncall: {on_call: {provider: url, schedule: sre}}
  manager: {manager: {profile_field: Xf0MANAGER}}
"""

_RULES = """\
version: 1
chains:
  one-lead:
    expire_after: 10m
    stages: [{name: lead, approvers: [leads]}]
  anybody:
    expire_after: 10m
    stages: [{name: anybody, approvers: [crowd]}]
  quickly:
    expire_after: 2s
    stages: [{name: lead, approvers: [leads]}]
  two-leads:
    expire_after: 10m
    stages: [{name: leads, approvers: [leads], quorum: 2}]
  lead-then-security:
    expire_after: 10m
    stages:
      - {name: lead, approvers: [leads]}
      - {name: guard, approvers: [security]}
  with-care:
    expire_after: 10m
    stages:
      - name: peers
        approvers: [leads, oncall]
        quorum: 2
        at_least: {oncall: 1}
        remind: [1s]
        escalate:
          - {after: 2s, add_approvers: [security], stand_in_for: oncall, notify: ["#general"]}
      - {name: guard, approvers: [security, leads], channel: "#deploy-approvals"}
  whoever-is-on-call:
    expire_after: 10m
    stages: [{name: rouse, approvers: [sre-oncall, security]}]
  manager:
    expire_after: 10m
    stages: [{name: manager, approvers: [manager]}]
  lead-and-for-long-security:
    expire_after: 10m
    stages:
      - {name: lead, approvers: [leads]}
      - {name: guard, approvers: [security], when: [request.duration > duration('30m')]}
      - {name: odd, approvers: [leads], when: ["bundle.labels.kind == 'odd'"]}
  anna-alone:
    stages: [{name: anna, approvers: [anna]}]
rules:
  - id: with-care
    bundles: {name: [careful]}
    requesters: [engineers]
    decision: require
    chain: with-care
  - id: lonely
    bundles: {name: [lonely]}
    requesters: [engineers]
    decision: require
    chain: anna-alone
  - id: by-whoever-is-on-call
    bundles: {name: [roused]}
    requesters: [engineers]
    decision: require
    chain: whoever-is-on-call
  - id: by-the-manager
    bundles: {name: [managed]}
    requesters: [engineers]
    decision: require
    chain: manager
  - id: by-a-lead
    bundles: {name: [read, refund, alarm, urgent, sealed, spare, planned, personal]}
    requesters: [engineers]
    decision: require
    chain: one-lead
  - id: mend-at-once
    bundles: {name: [mend]}
    requesters: [engineers]
    max_duration: 30m
    decision: auto_approve
  - id: mend-by-a-lead
    bundles: {name: [mend]}
    requesters: [engineers]
    decision: require
    chain: one-lead
  - id: by-anybody
    bundles: {name: [crowded]}
    requesters: [engineers]
    decision: require
    chain: anybody
  - id: in-two-seconds
    bundles: {name: [hasty]}
    requesters: [engineers]
    decision: require
    chain: quickly
  - id: at-once
    bundles: {name: [logs, vault, hidden, partners, five, idle, safe, fleeting, brief]}
    requesters: [engineers]
    decision: auto_approve
  - id: clients-at-once
    bundles: {name: [logs]}
    clients: [ci]
    decision: auto_approve
  - id: clients-by-a-lead
    bundles: {name: [read]}
    clients: [ci]
    decision: require
    chain: one-lead
  - id: no-way
    bundles: {name: [never]}
    decision: deny
    note: Ask for less.
  - id: by-two
    bundles: {name: [pair]}
    requesters: [engineers]
    decision: require
    chain: two-leads
  - id: sized
    bundles: {name: [sized]}
    requesters: [engineers]
    decision: require
    chain: lead-and-for-long-security
  - id: by-both
    bundles: {name: [staged]}
    requesters: [engineers]
    decision: require
    chain: lead-then-security
guardrails:
  - id: tried-out
    bundles: {name: [sized]}
    max_duration: 10m
    mode: audit
  - id: not-even-then
    bundles: {name: [sealed]}
    deny: true
    even_break_glass: true
    note: Call the vendor instead.
"""

_CLIENTS = f"""\
version: 1
clients:
  billing-api:
    secret_sha256: {sha256(SECRET.encode()).hexdigest()}
    resources: [https://billing.example, https://brief.example]
  logs-api:
    secret_sha256: {sha256(OTHER_SECRET.encode()).hexdigest()}
    resources: [https://logs.example]
  ci:
    secret_sha256: {sha256(SECRET.encode()).hexdigest()}
    bundles: [read, logs, safe]
    owner: U0CLEO
    reason: The pipeline asks by itself.
"""

_RESOURCES = """\
version: 1
resources:
  https://brief.example:
    title: Pieces
    scopes: {"pieces:read": Read pieces}
    token_max: 4s
"""

FILES = {
    "resources.yaml": _RESOURCES,
    "bundles.yaml": _BUNDLES,
    "groups.yaml": _GROUPS,
    "rules.yaml": _RULES,
    "clients.yaml": _CLIENTS,
}
