# GitLab: what people do in a project, as cards.
#
#   push            commits on a branch
#   tag             a new tag
#   merge-request   opened, merged, closed, reopened, approved; one card each
#   issue           opened, closed, reopened; one card each
#   comment         on an issue, a merge request, a commit or a snippet
#   release         created
#   build           a pipeline that has ended; one card each
#   deployment      that has ended; one card each
#   wiki            a page made or changed
#
# Confidential issues and internal notes make no event, nor does anything else.
# In the webhook's settings choose which events GitLab sends. What it sends of a
# private project is on the wall, too.

def line: split("\n")[0] | rtrimstr("\r");
def short: if length > 400 then .[:400] + "…" else . end;
def known: with_entries(select(.value != null and .value != ""));
def card(kind; key; data): {kind: kind, key: key, data: (data | known)} | known;
def zero: . == null or test("^0+$");
def done: {open: "opened", merge: "merged", close: "closed", reopen: "reopened", approved: "approved"}[.];

(.project // {}) as $project
| ($project.path_with_namespace // $project.name // "") as $name
| "\($project.id // .project_id // 0)" as $id
| (.object_attributes // {}) as $of
| ((.user | objects) // {name: .user_name, avatar_url: .user_avatar}
   | {name: .name, image: .avatar_url} | known) as $author
| ((.event_type // "") | startswith("confidential_")) as $secret

| if $secret or $of.confidential == true or $of.internal == true or .issue.confidential == true then empty

  elif .object_kind == "push" then
    if (.after | zero) or (.commits // []) == [] then empty
    else
      (.total_commits_count // (.commits | length)) as $count
      | card("push"; null; {
          title: ((if $count == 1 then "1 commit" else "\($count) commits" end) + " to \($name), \(.ref | sub("^refs/heads/"; ""))"),
          text: (.commits[:5] | map(.message | line | short) | join("\n")),
          url: (if $count == 1 then .commits[0].url
                elif .before | zero then "\($project.web_url)/-/commits/\(.ref | sub("^refs/heads/"; ""))"
                else "\($project.web_url)/-/compare/\(.before)...\(.after)" end),
          author: $author})
    end

  elif .object_kind == "tag_push" then
    if .after | zero then empty
    else
      (.ref | sub("^refs/tags/"; "")) as $tag
      | card("tag"; null; {title: "Tag \($tag) in \($name)", text: (.message // "" | line | short),
          url: "\($project.web_url)/-/tags/\($tag)", author: $author})
    end

  elif .object_kind == "merge_request" then
    ($of.action // "" | done) as $did
    | if $did then
        card("merge-request"; "\($id)-\($of.iid)"; {title: "\($name)!\($of.iid) \($did)", text: $of.title,
          url: $of.url, author: $author, state: $did})
      else empty end

  elif .object_kind == "issue" then
    ($of.action // "" | done) as $did
    | if $did then
        card("issue"; "\($id)-\($of.iid)"; {title: "\($name)#\($of.iid) \($did)", text: $of.title,
          url: $of.url, author: $author, state: $did})
      else empty end

  elif .object_kind == "note" then
    if $of.system == true or ($of.action // "create") != "create" then empty
    else
      (if .merge_request then "\($name)!\(.merge_request.iid): \(.merge_request.title)"
       elif .issue then "\($name)#\(.issue.iid): \(.issue.title)"
       elif .commit then "\($name)@\(.commit.id[:8]): \(.commit.message | line | short)"
       elif .snippet then "\($name): \(.snippet.title)"
       else $name end) as $title
      | card("comment"; null; {title: $title, text: ($of.note | short), url: $of.url, author: $author})
    end

  elif .object_kind == "release" then
    if .action == "create" then
      card("release"; null; {title: "\($name) \(.tag)", text: (if (.name // "") == "" then .tag else .name end), url: .url})
    else empty end

  elif .object_kind == "pipeline" then
    if ["success", "failed", "canceled"] | index([$of.status]) then
      card("build"; "\($id)-\($of.id)"; {title: "Pipeline: \($of.detailed_status // $of.status)",
        text: "\($name), \($of.ref): \(.commit.title // .commit.message // "" | line | short)",
        url: ($of.url // "\($project.web_url)/-/pipelines/\($of.id)"), author: $author, state: $of.status})
    else empty end

  elif .object_kind == "deployment" then
    if .status == "success" or .status == "failed" then
      card("deployment"; "\($id)-\(.deployment_id)"; {title: "\($name) on \(.environment): \(.status)",
        text: (.commit_title // "" | line | short), url: (.environment_external_url // .deployable_url),
        author: $author, state: .status})
    else empty end

  elif .object_kind == "wiki_page" then
    if $of.action == "create" or $of.action == "update" then
      card("wiki"; null; {title: "\($name): \($of.title)", text: ($of.message // "" | short), url: $of.url, author: $author})
    else empty end

  else empty end
