# Completions of stem for PowerShell. They ask stem itself, which knows the repository, and evaluate nothing: neither its
# answer nor the line that is being typed.
Register-ArgumentCompleter -Native -CommandName stem -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @()
    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $words += $element.Value
        } else {
            $words += $element.Extent.Text
        }
    }
    $typed = $wordToComplete.Trim("'", '"')
    $count = $words.Count + 1
    $program = Get-Command -Name stem -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -eq $program) { return }
    & $program.Source __complete powershell $count @words $typed 2>$null | ForEach-Object {
        $value, $shown = $_ -split "`t", 2
        [System.Management.Automation.CompletionResult]::new($value, $shown, 'ParameterValue', $shown)
    }
}
